package consul

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// authority issues certificates, and is a file with its own.
type authority struct {
	t    *testing.T
	own  *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, own: &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}}
	a.file, _, a.key = a.write(a.own, nil)
	return a
}

// issue writes a certificate like another one, and its key.
func (a *authority) issue(like *x509.Certificate) (certificate, key string) {
	a.t.Helper()
	like.SerialNumber = big.NewInt(2)
	certificate, key, _ = a.write(like, a.key)
	return certificate, key
}

func (a *authority) write(like *x509.Certificate, by *ecdsa.PrivateKey) (certificate, key string, private *ecdsa.PrivateKey) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	if by == nil {
		by = private
	}
	der, err := x509.CreateCertificate(rand.Reader, like, a.own, private.Public(), by)
	require.NoError(a.t, err)
	text, err := x509.MarshalECPrivateKey(private)
	require.NoError(a.t, err)
	dir := a.t.TempDir()
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	require.NoError(a.t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(a.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text}), 0o600))
	return certificate, key, private
}

// TestAnAgentWithTLS shows a certificate of its own authority for a name alone, and wants one of its clients.
func TestAnAgentWithTLS(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	soon := time.Now().Add(time.Hour)
	shown, key := ours.issue(&x509.Certificate{NotAfter: soon, DNSNames: []string{"consul.test"}})
	mine, mineKey := ours.issue(&x509.Certificate{NotAfter: soon, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	stranger, strangerKey := others.issue(&x509.Certificate{NotAfter: soon, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	a := agent(t, servers.ConsulOptions{TLS: &servers.ConsulTLS{Certificate: shown, Key: key, ClientCA: ours.file}})
	right := TLS{CAFile: ours.file, CertFile: mine, KeyFile: mineKey, ServerName: "consul.test"}

	c := client(t, Options{Address: a.TLSAddress(), TLS: right})
	self, err := c.Self(t.Context())
	require.NoError(t, err)
	require.Equal(t, "dc1", self.Datacentre)
	r := c.Register(func() Instance { return server("s-tls") })
	require.NoError(t, r.Start(t.Context()))
	found, err := c.Find(t.Context(), "vivarium-server", "")
	require.NoError(t, err)
	require.Len(t, found, 1)
	done, err := c.Swap(t.Context(), "", "vivarium/east/epoch", []byte("2"), 0)
	require.NoError(t, err)
	require.True(t, done)
	require.NoError(t, r.Stop(t.Context()))

	for says, o := range map[string]Options{
		"consul.ca_file":     {Address: a.TLSAddress(), TLS: TLS{CertFile: mine, KeyFile: mineKey, ServerName: "consul.test"}},
		"can't be verified":  {Address: a.TLSAddress(), TLS: TLS{CAFile: others.file, CertFile: mine, KeyFile: mineKey, ServerName: "consul.test"}},
		"consul.server_name": {Address: a.TLSAddress(), TLS: TLS{CAFile: ours.file, CertFile: mine, KeyFile: mineKey}},
		"consul.cert_file":   {Address: a.TLSAddress(), TLS: TLS{CAFile: ours.file, ServerName: "consul.test"}},
		"an authority that":  {Address: a.TLSAddress(), TLS: TLS{CAFile: ours.file, CertFile: stranger, KeyFile: strangerKey, ServerName: "consul.test"}},
		"the right scheme":   {Address: strings.Replace(a.TLSAddress(), "https", "http", 1)},
		"has no TLS":         {Address: "https://" + a.Address(), TLS: right},
	} {
		_, err := client(t, o).Self(t.Context())
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", says, err)
		require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
		require.Contains(t, fault.From(err).Message, says)
	}
}

// TestACertificateThatHasExpired is waited for as an agent that does not answer.
func TestACertificateThatHasExpired(t *testing.T) {
	ours := newAuthority(t)
	past := time.Now().Add(-time.Hour)
	shown, key := ours.issue(&x509.Certificate{NotBefore: past.Add(-time.Hour), NotAfter: past, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	a := agent(t, servers.ConsulOptions{TLS: &servers.ConsulTLS{Certificate: shown, Key: key, ClientCA: ours.file}})
	_, err := client(t, Options{Address: a.TLSAddress(), TLS: TLS{CAFile: ours.file}}).Self(t.Context())
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.Contains(t, fault.From(err).Message, "has expired")
}
