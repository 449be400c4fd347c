package cluster_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: second
clusters:
- {name: one, cluster: {server: "https://One.example.test:6443"}}
- {name: two, cluster: {server: "https://two.example.test/k8s/"}}
- {name: three, cluster: {server: "https://three.example.test"}}
users: [{name: me, user: {token: hush}}]
contexts:
- {name: first, context: {cluster: one, user: me}}
- {name: second, context: {cluster: two, user: me}}
- {name: other, context: {cluster: two, user: me}}
- {name: a, context: {cluster: three, user: me}}
- {name: b, context: {cluster: three, user: me}}
`

func written(t *testing.T, text string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return []string{file}
}

func TestLocations(t *testing.T) {
	files := written(t, kubeconfig)
	for location, want := range map[string]string{
		"first": "first", "other": "other", "https://one.example.test:6443/": "first", "HTTPS://ONE.example.test:6443": "first",
		"https://two.example.test:443/k8s": "second", // of two contexts the current one
	} {
		p, err := cluster.Find(files, location)
		require.NoError(t, err, location)
		require.Equal(t, want, p.Context, location)
		require.NotEmpty(t, p.Address)
	}
	for location, says := range map[string]string{
		"third":                           "whose contexts are a, b, first, other, second",
		"https://four.example.test":       "it has those at https://One.example.test:6443, https://three.example.test, https://two.example.test/k8s/",
		"https://one.example.test":        "no context",
		"http://one.example.test:6443":    "no context",
		"https://three.example.test":      "name one with --location (a, b)",
		"https://two.example.test/other/": "no context",
	} {
		_, err := cluster.Find(files, location)
		require.ErrorContains(t, err, says, location)
		require.Equal(t, fault.Reject, fault.From(err).Disposition)
		require.NotContains(t, err.Error(), "hush")
	}
}

func TestNoKubeconfig(t *testing.T) {
	_, err := cluster.Find(written(t, "apiVersion: v1\nkind: Config\n"), "any")
	require.ErrorContains(t, err, "which has none")
	_, err = cluster.Find(written(t, "{"), "any")
	require.ErrorContains(t, err, "can't be read")
}
