package bootstrap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
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
	verified(t, ctx, nil, at(6), p.Roots())
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

// verified: Consul's servers take nobody for one of them without TLS, nor without a certificate of their authority, and show one that says that they are.
func verified(t *testing.T, ctx context.Context, dial dialer, at, roots string) {
	t.Helper()
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	const plain, withTLS = 0, 3 // how a connection begins that is to be one of Consul's
	begin := func(with byte) net.Conn {
		conn, err := dial(ctx, "tcp", at)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = conn.Write([]byte{with})
		require.NoError(t, err)
		return conn
	}
	check, err := checking(roots)
	require.NoError(t, err)
	check.ServerName = "server.vivarium.consul"
	conn := tls.Client(begin(withTLS), check)
	require.NoError(t, conn.HandshakeContext(ctx))
	_, err = conn.Read(make([]byte, 1))
	var alert *net.OpError
	require.ErrorAs(t, err, &alert)
	require.ErrorContains(t, err, "certificate required")
	_, err = begin(plain).Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "who speaks without TLS is sent away at once")
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
	status, _, err = fetched(ctx, dial, url, roots)
	return status, err
}

// fetched is the same with what was answered.
func fetched(ctx context.Context, dial dialer, url, roots string) (status int, body []byte, err error) {
	check, err := checking(roots)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial, TLSClientConfig: check}}
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, errors.Join(err, answer.Body.Close())
}
