package bootstrap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// renews revokes the certificates of the API, of Consul and of the broker: the service finds that they are to be renewed as it does near their end, renews
// them, and starts anew what shows them, itself and its own broker among it.
func (p *Place) renews(t *testing.T, ctx context.Context) {
	t.Helper()
	begun := time.Now()
	shown := map[int]string{p.ports[0]: "", p.ports[5]: "", p.ports[11]: ""}
	root := vault(t, fmt.Sprintf("https://127.0.0.1:%d", p.ports[9]), p.secrets(t)[1], p.vaultRoots())
	for port := range shown {
		leaf, err := p.leaf(ctx, port)
		require.NoError(t, err)
		shown[port] = serial(leaf)
		_, err = root.Logical().WriteWithContext(ctx, "pki/revoke", map[string]any{"serial_number": shown[port]})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		for port, was := range shown {
			if leaf, err := p.leaf(ctx, port); err != nil || serial(leaf) == was {
				return false
			}
		}
		out, err := p.Command(ctx, "env", "show", "meta", "--server", p.API()).CombinedOutput()
		return err == nil && strings.HasPrefix(string(out), "meta  deployed")
	}, patience, time.Second, "nobody has to ask for it")
	t.Logf("certificates are renewed within %s", time.Since(begun).Round(100*time.Millisecond))
	p.shows(t, ctx)
}

// leaf is the certificate that is shown at a port, checked with the authority.
func (p *Place) leaf(ctx context.Context, port int) (*x509.Certificate, error) {
	check, err := checking(p.Roots())
	if err != nil {
		return nil, err
	}
	conn, err := (&tls.Dialer{Config: check, NetDialer: &net.Dialer{Timeout: 10 * time.Second}}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // nothing was said
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// serial is a certificate's number as Vault writes it.
func serial(leaf *x509.Certificate) string {
	var parts []string
	for _, b := range leaf.SerialNumber.Bytes() {
		parts = append(parts, fmt.Sprintf("%02x", b))
	}
	return strings.Join(parts, ":")
}
