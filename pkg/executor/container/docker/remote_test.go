package docker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// certificates writes ca.pem, cert.pem and key.pem; one certificate is for both sides.
func certificates(t *testing.T) (dir string, pool *x509.CertPool, pair tls.Certificate) {
	t.Helper()
	dir = t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "docker"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	for name, text := range map[string][]byte{"ca.pem": certificate, "cert.pem": certificate, "key.pem": secret} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	pair, err = tls.X509KeyPair(certificate, secret)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certificate))
	return dir, pool, pair
}

// remote stands before the engine's socket as an engine does that listens with TLS and lets in who shows a certificate.
func remote(t *testing.T, socket string) (host, dir string) {
	t.Helper()
	dir, pool, pair := certificates(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go join(from, socket)
		}
	}()
	return "tcp://" + l.Addr().String(), dir
}

func join(from net.Conn, socket string) {
	defer from.Close()
	to, err := (&net.Dialer{}).DialContext(context.Background(), "unix", socket)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
	_, _ = io.Copy(from, to)
}

// TestRemoteEngine: over TCP, with certificates on both sides; and what is said when one is missing.
func TestRemoteEngine(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"VERSION":"far"},"port":[{"container":8080}],`+healthy+`}`)
	host, dir := remote(t, b.engine.Address())
	in := func(name string) string { return filepath.Join(dir, name) }
	far := New(Options{Host: host, TLS: &TLS{CAFile: in("ca.pem"), CertFile: in("cert.pem"), KeyFile: in("key.pem")}, Key: box})
	t.Cleanup(func() { require.NoError(t, far.Close()) })
	far.place.local = false // so that the check goes to the published port, as to another machine
	near := b.Executor
	b.Executor = far
	o := b.apply()
	require.Equal(t, "127.0.0.1", o.Host)
	require.NotZero(t, o.Ports["8080"])
	require.Equal(t, host, far.Target(b.request))
	require.False(t, b.observe().Drifted)
	require.NoError(t, b.Destroy(t.Context(), b.request))
	b.Executor = near

	for name, tls := range map[string]*TLS{"no certificate": nil, "no such file": {CAFile: in("ca.pem"), CertFile: in("none.pem"), KeyFile: in("key.pem")}} {
		e := New(Options{Host: host, TLS: tls, Key: box})
		_, err := e.Observe(t.Context(), b.request)
		require.Error(t, err, name)
		require.Contains(t, fault.From(err).Message, host)
		require.NoError(t, e.Close())
	}
}
