package bootstrap_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/vivarium-env/vivarium/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// resolved is environment zero in a cluster: its nodes, and their inputs once all secrets are known.
func resolved(t *testing.T, parameters map[string]any) (nodes []string, inputs map[string]map[string]any) {
	t.Helper()
	kinds := template.Kinds{container.Name: container.Kind(), helm.Name: helm.New(helm.Options{}).Kind()}
	for _, e := range initialise.New(initialise.Options{}) {
		kinds[e.Kind().Name] = e.Kind()
	}
	dir, err := fs.Sub(bootstrap.Templates, "templates/meta")
	require.NoError(t, err)
	compiled, err := template.Compile(dir, "", kinds)
	require.NoError(t, err)
	given := map[string]json.RawMessage{}
	for name, value := range parameters {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		given[name] = text
	}
	p, err := plan.Resolve(plan.Request{Environment: "meta", Templates: []*template.Template{compiled}, Parameters: given})
	require.NoError(t, err)
	inputs = map[string]map[string]any{}
	for _, n := range p.Nodes() {
		nodes = append(nodes, n.Address)
		if !strings.Contains(n.Address, "helm_release") {
			continue
		}
		in, err := p.Inputs(n.Address, func(address string) (json.RawMessage, bool) {
			if strings.Contains(address, "vault_certificate") {
				return json.RawMessage(`{"certificate":"PEM","private_key":"KEY","ca":"PEM"}`), true
			}
			return json.RawMessage(`{"value":"of-` + address[strings.LastIndex(address, ".")+1:] + `","host":"server.vivarium.svc"}`), true
		})
		require.NoError(t, err)
		var of map[string]any
		require.NoError(t, json.Unmarshal(in.Data, &of))
		inputs[n.Address] = of
	}
	return nodes, inputs
}

// sensitive is how a plan without a key writes a secret.
const sensitive = "(sensitive)"

// TestTheProfileFull resolves environment zero as it is in a cluster of several machines, and has Helm render every chart of it.
func TestTheProfileFull(t *testing.T) {
	given := map[string]any{"location": "kubernetes", "profile": "full", "namespace": "vivarium", "program": "/usr/bin/vivarium", "key": "k", "folder": "/vivarium", "catalogue": "",
		"api_host": "vivarium.example.test"}
	nodes, inputs := resolved(t, given)
	require.Contains(t, nodes, `meta.arangodb_database.store["full"]`)
	require.False(t, slices.ContainsFunc(nodes, func(a string) bool {
		return strings.Contains(a, "container.broker") || strings.Contains(a, "container.consul") || strings.Contains(a, "container.vault")
	}))
	require.Len(t, inputs, 6)
	dir := t.TempDir()
	source, err := fs.Sub(bootstrap.Templates, "templates/meta")
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(dir, source))
	for address, of := range inputs {
		c, err := loader.Load(filepath.Join(dir, of["chart"].(string)))
		require.NoError(t, err, address)
		i := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
		i.ClientOnly, i.DryRun, i.ReleaseName, i.Namespace = true, true, of["name"].(string), "vivarium"
		rel, err := i.Run(c, of["values"].(map[string]any))
		require.NoError(t, err, address)
		require.NotContains(t, rel.Manifest, "<no value>", address)
		require.Contains(t, rel.Manifest, "name: "+of["name"].(string))
	}

	var broker map[string]any
	require.NotPanics(t, func() { broker = inputs[`meta.helm_release.broker["full"]`]["values"].(map[string]any) })
	require.Equal(t, map[string]any{"ca": "PEM", "certificate": "PEM", "key": sensitive}, broker["tls"], "its certificate is of Vault's authority")

	delete(given, "profile")
	delete(given, "api_host")
	nodes, inputs = resolved(t, given)
	require.Empty(t, inputs, "the profile small has no charts")
	require.Contains(t, nodes, `meta.container.broker["one"]`)
	require.Contains(t, nodes, `meta.container.vault["one"]`)
}
