package bootstrap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listener is who answers by HTTPS, and a file with the authority of its certificate, and one with another.
type listener struct{ at, path, roots, others string }

// dialer is nil for this machine.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// trusts asks the service, Consul and Vault as who knows their authority, who does not, and who wants no TLS.
func (p *Place) trusts(t *testing.T, ctx context.Context) {
	t.Helper()
	vault, at := p.vaultRoots(), func(n int) string { return fmt.Sprint("127.0.0.1:", p.ports[n]) }
	trusted(t, ctx, nil, []listener{
		{at(0), "/api/v1/self/liveliness", p.Roots(), vault}, {at(5), "/v1/status/leader", p.Roots(), vault}, {at(9), "/v1/sys/health", vault, p.Roots()},
	})
	stranger := p.Command(ctx, "env", "list", "--server", p.API(), "--ca-file", vault)
	out, err := stranger.CombinedOutput()
	require.Error(t, err, "%s", out)
	require.Contains(t, string(out), "shows a certificate that can't be verified")
}

// trusted: each listener is taken for what it is by who knows its authority alone, and speaks with nobody without TLS.
func trusted(t *testing.T, ctx context.Context, dial dialer, all []listener) {
	t.Helper()
	for _, of := range all {
		at := of.at + of.path
		status, err := answered(ctx, dial, "https://"+at, of.roots)
		require.NoError(t, err, at)
		require.Equal(t, http.StatusOK, status, at)
		for name, roots := range map[string]string{"the system's roots": "", "another authority": of.others} {
			_, err = answered(ctx, dial, "https://"+at, roots)
			var untrusted *tls.CertificateVerificationError
			require.ErrorAs(t, err, &untrusted, "%s with %s", at, name)
		}
		if status, err = answered(ctx, dial, "http://"+at, ""); err == nil {
			require.Equal(t, http.StatusBadRequest, status, "%s without TLS", at)
		}
	}
}

func (p *Place) vaultRoots() string { return filepath.Join(p.Work(), "vault-ca.pem") }

// checking checks certificates with the roots of a file; "" takes the system's.
func checking(roots string) (*tls.Config, error) {
	check := &tls.Config{MinVersion: tls.VersionTLS12}
	if roots == "" {
		return check, nil
	}
	text, err := os.ReadFile(roots)
	if err != nil {
		return nil, err
	}
	check.RootCAs = x509.NewCertPool()
	check.RootCAs.AppendCertsFromPEM(text)
	return check, nil
}

// answered is the status of one answer, to who checks certificates with the roots of a file.
func answered(ctx context.Context, dial dialer, url, roots string) (status int, err error) {
	check, err := checking(roots)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial, TLSClientConfig: check}}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
