package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/config"
)

// certify writes a certificate for the loopback address, which is its own authority, and its key.
func certify(t *testing.T, dir string, number int64) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	like := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, like, like, private.Public(), private)
	require.NoError(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), 0o600))
	return certificate, key
}

func TestTheAPIHasACertificate(t *testing.T) {
	files := t.TempDir()
	certificate, key := certify(t, files, 1)
	variables := map[string]string{"VIVARIUM_LISTEN_CERT_FILE": certificate, "VIVARIUM_LISTEN_KEY_FILE": key, "VIVARIUM_LISTEN_CA_FILE": certificate}
	r := serveWith(t, variables, t.TempDir(), catalogue(t))
	defer r.end(t)
	r.command(t, exitOK, "env", "list")
	d, err := findServer(r.dir)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(d.API, "https://"), d.API)
	r.command(t, exitOK, "env", "list", "--server", d.API, "--ca-file", certificate)
	require.Contains(t, r.command(t, exitFailed, "env", "list", "--server", d.API), "shows a certificate that can't be verified")
	r.command(t, exitFailed, "env", "list", "--server", strings.Replace(d.API, "https://", "http://", 1))

	renewed := filepath.Join(t.TempDir(), "old.pem")
	old, err := os.ReadFile(certificate)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(renewed, old, 0o600))
	certify(t, files, 2)
	require.Eventually(t, func() bool {
		client := trusting(string(mustRead(t, certificate)))
		defer client.CloseIdleConnections()
		answer, err := client.Get(d.API + "/api/v1/self/liveliness")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, time.Minute, 100*time.Millisecond, "what is renewed is shown without a restart")
	r.command(t, exitFailed, "env", "list", "--server", d.API, "--ca-file", renewed)
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

func TestHalfACertificateIsRefused(t *testing.T) {
	certificate, key := certify(t, t.TempDir(), 1)
	for _, variables := range []map[string]string{
		{"VIVARIUM_LISTEN_CERT_FILE": certificate},
		{"VIVARIUM_LISTEN_CERT_FILE": certificate, "VIVARIUM_LISTEN_KEY_FILE": certificate},
		{"VIVARIUM_LISTEN_CERT_FILE": certificate, "VIVARIUM_LISTEN_KEY_FILE": key, "VIVARIUM_LISTEN_CA_FILE": key},
	} {
		settings, err := config.Load(config.Inputs{Variables: variables})
		require.NoError(t, err)
		_, roots := readRoots(settings.ListenCAFile, "the API")
		_, shows := listenerTLS(settings, nil)
		require.Error(t, errors.Join(roots, shows), "%v", variables)
	}
}
