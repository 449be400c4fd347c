package bootstrap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// trusts asks the service, Consul and Vault as who knows their authority, who does not, and who wants no TLS.
func (p *Place) trusts(t *testing.T, ctx context.Context) {
	t.Helper()
	vault := p.vaultRoots()
	for _, of := range []struct {
		port        int
		path, roots string
		others      string
	}{
		{p.ports[0], "/api/v1/self/liveliness", p.Roots(), vault},
		{p.ports[5], "/v1/status/leader", p.Roots(), vault},
		{p.ports[9], "/v1/sys/health", vault, p.Roots()},
	} {
		at := fmt.Sprintf("127.0.0.1:%d%s", of.port, of.path)
		status, err := answered(ctx, "https://"+at, of.roots)
		require.NoError(t, err, at)
		require.Equal(t, http.StatusOK, status, at)
		for name, roots := range map[string]string{"the system's roots": "", "another authority": of.others} {
			_, err = answered(ctx, "https://"+at, roots)
			var untrusted *tls.CertificateVerificationError
			require.ErrorAs(t, err, &untrusted, "%s with %s", at, name)
		}
		if status, err = answered(ctx, "http://"+at, ""); err == nil {
			require.Equal(t, http.StatusBadRequest, status, "%s without TLS", at)
		}
	}
	stranger := p.Command(ctx, "env", "list", "--server", p.API(), "--ca-file", vault)
	out, err := stranger.CombinedOutput()
	require.Error(t, err, "%s", out)
	require.Contains(t, string(out), "shows a certificate that can't be verified")
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
func answered(ctx context.Context, url, roots string) (status int, err error) {
	check, err := checking(roots)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: check}}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
