package bootstrap

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
)

// host is the name of a Service, as pods and the bootstrap call it.
func host(service, port string) string {
	return "vivarium-" + service + "." + namespace + ".svc:" + port
}

// way is that of a bootstrap into the cluster.
func (c *inCluster) way(t *testing.T) *cluster.Cluster {
	t.Helper()
	place, err := cluster.Find([]string{c.k.Kubeconfig()}, c.Location)
	require.NoError(t, err)
	way, err := cluster.Connect(place, namespace)
	require.NoError(t, err)
	return way
}

// trusts asks the service, Consul, Vault and the broker by the names that pods call them by, as who knows their authority, who does not, and who wants no TLS.
func (c *inCluster) trusts(t *testing.T, ctx context.Context) {
	t.Helper()
	way := c.way(t)
	defer way.Close()
	vault := c.vaultRoots()
	trusted(t, ctx, way.Dial, []listener{
		{host("server", "8090"), "/api/v1/self/liveliness", c.Roots(), vault},
		{host("consul", "8500"), "/v1/status/leader", c.Roots(), vault},
		{host("vault", "8200"), "/v1/sys/health", vault, c.Roots()},
	})
	verified(t, ctx, way.Dial, host("consul", "8300"), c.Roots())
	require.NoError(t, shakes(ctx, way.Dial, host("broker", "5671"), c.Roots()))
	for _, roots := range []string{"", vault} {
		var untrusted *tls.CertificateVerificationError
		require.ErrorAs(t, shakes(ctx, way.Dial, host("broker", "5671"), roots), &untrusted)
	}
	require.NoError(t, shakes(ctx, way.Dial, host("broker", "15672"), c.managementRoots(t, ctx)))
	var unknown *tls.CertificateVerificationError
	require.ErrorAs(t, shakes(ctx, way.Dial, host("broker", "15672"), c.Roots()), &unknown, "Vault can't have issued it, which asks there itself")
	ports := strings.Fields(c.kubectl(t, ctx, "-n", namespace, "get", "service", "vivarium-broker", "-o", "jsonpath={.spec.ports[*].port}"))
	require.Contains(t, ports, "5671")
	require.NotContains(t, ports, "5672", "without TLS")
	c.heard(t, ctx, way.Dial)
}

// managementRoots is a file with the authority of the broker's management, as environment zero puts it out.
func (c *inCluster) managementRoots(t *testing.T, ctx context.Context) (file string) {
	t.Helper()
	var shown struct {
		Environment struct {
			Outputs struct {
				CA string `json:"management_ca"`
			} `json:"outputs"`
		} `json:"environment"`
	}
	require.NoError(t, json.Unmarshal([]byte(c.order(t, ctx, "env", "show", "meta", "-o", "json")), &shown))
	file = filepath.Join(c.Dir, "management.pem")
	require.NoError(t, os.WriteFile(file, []byte(shown.Environment.Outputs.CA), 0o600))
	return file
}

// shakes is how a handshake with who does not speak HTTP ends.
func shakes(ctx context.Context, dial dialer, address, roots string) error {
	check, err := checking(roots)
	if err != nil {
		return err
	}
	check.ServerName, _, err = net.SplitHostPort(address)
	if err != nil {
		return err
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return tls.Client(conn, check).HandshakeContext(ctx)
}

// heard: Consul has asked the API by its name, and checked its certificate.
func (c *inCluster) heard(t *testing.T, ctx context.Context, dial dialer) {
	t.Helper()
	check, err := checking(c.Roots())
	require.NoError(t, err)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial, TLSClientConfig: check}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host("consul", "8500")+"/v1/agent/checks", nil)
	require.NoError(t, err)
	request.Header.Set("X-Consul-Token", c.hidden(t, ctx, "env.VIVARIUM_CONSUL_TOKEN")[0])
	said := ""
	defer func() {
		if t.Failed() {
			t.Log(said)
		}
	}()
	require.Eventually(t, func() bool {
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		var checks map[string]struct{ Name, Status, Output string }
		if json.NewDecoder(answer.Body).Decode(&checks) != nil {
			return false
		}
		said = ""
		for _, of := range checks {
			said += of.Name + ": " + of.Status + " " + of.Output + "\n"
			if of.Name == "the API answers" && of.Status == "passing" && strings.Contains(of.Output, "https://"+host("server", "8090")) && strings.Contains(of.Output, "200 OK") {
				return true
			}
		}
		return false
	}, time.Minute, time.Second)
}

// hidden are what Secrets of the namespace hold below keys with a prefix.
func (c *inCluster) hidden(t *testing.T, ctx context.Context, prefix string) (values []string) {
	t.Helper()
	var secrets struct {
		Items []struct{ Data map[string][]byte }
	}
	require.NoError(t, json.Unmarshal([]byte(c.kubectl(t, ctx, "-n", namespace, "get", "secrets", "-o", "json")), &secrets))
	for _, s := range secrets.Items {
		for key, value := range s.Data {
			if strings.HasPrefix(key, prefix) {
				values = append(values, string(value))
			}
		}
	}
	require.NotEmpty(t, values, prefix)
	return values
}

// privateKeys are a line of each key of a certificate, which is of one line of letters wherever it stands.
func (c *inCluster) privateKeys(t *testing.T, ctx context.Context) (lines []string) {
	t.Helper()
	for _, text := range c.hidden(t, ctx, "file.") {
		if strings.Contains(text, "PRIVATE KEY") {
			lines = append(lines, strings.Split(text, "\n")[1])
		}
	}
	require.Len(t, lines, 5, "of the server, Consul, Vault, the broker and its management")
	return lines
}

// keepsKeys looks for keys of certificates in all that was printed, in plain objects and in all files.
func (c *inCluster) keepsKeys(t *testing.T, ctx context.Context, printed string) {
	t.Helper()
	keys := c.privateKeys(t, ctx)
	plain := c.kubectl(t, ctx, "-n", namespace, "get", plainKinds, "-o", "json")
	require.Contains(t, plain, "BEGIN CERTIFICATE", "authorities are in plain objects")
	for _, key := range keys {
		require.NotContains(t, printed, key)
		require.NotContains(t, plain, key)
	}
	require.Greater(t, c.search(t, keys), 10)
	for _, roots := range []string{c.Roots(), c.vaultRoots()} {
		text, err := os.ReadFile(roots)
		require.NoError(t, err)
		require.NotContains(t, string(text), "PRIVATE")
	}
}
