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

// resolved is environment zero with parameters.
func resolved(t *testing.T, parameters map[string]any) *plan.Plan {
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
	return p
}

// inputsOf are the inputs of those of its nodes that have a word in their address, once all secrets are known.
func inputsOf(t *testing.T, p *plan.Plan, word string) (nodes []string, inputs map[string]map[string]any) {
	t.Helper()
	inputs = map[string]map[string]any{}
	for _, n := range p.Nodes() {
		nodes = append(nodes, n.Address)
		if !strings.Contains(n.Address, word) {
			continue
		}
		in, err := p.Inputs(n.Address, func(address string) (json.RawMessage, bool) {
			if strings.Contains(address, "vault_certificate") || strings.Contains(address, "derived_certificate") {
				return json.RawMessage(`{"certificate":"PEM","private_key":"KEY","ca":"PEM"}`), true
			}
			text, err := json.Marshal(map[string]string{"value": "of-" + address[strings.LastIndex(address, ".")+1:], "host": "server.vivarium.svc", "address": "https://server.vivarium.svc",
				"pki": "pki", "role": "role", "path": "path", "datacenter": "vivarium"})
			require.NoError(t, err)
			return text, true
		})
		require.NoError(t, err)
		var of map[string]any
		require.NoError(t, json.Unmarshal(in.Data, &of))
		inputs[n.Address] = of
	}
	return nodes, inputs
}

// rendered is a release as Helm would install it.
func rendered(t *testing.T, of map[string]any) (manifest string) {
	t.Helper()
	dir := t.TempDir()
	source, err := fs.Sub(bootstrap.Templates, "templates/meta")
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(dir, source))
	c, err := loader.Load(filepath.Join(dir, of["chart"].(string)))
	require.NoError(t, err, of["chart"])
	i := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	i.ClientOnly, i.DryRun, i.ReleaseName, i.Namespace = true, true, of["name"].(string), "vivarium"
	rel, err := i.Run(c, of["values"].(map[string]any))
	require.NoError(t, err, of["chart"])
	require.NotContains(t, rel.Manifest, "<no value>", of["chart"])
	return rel.Manifest
}

// sensitive is how a plan without a key writes a secret.
const sensitive = "(sensitive)"

// TestTheProfileFull resolves environment zero as it is in a cluster of several machines, and has Helm render every chart of it.
func TestTheProfileFull(t *testing.T) {
	given := map[string]any{"location": "kubernetes", "profile": "full", "namespace": "vivarium", "program": "/usr/bin/vivarium", "key": "k", "folder": "/vivarium", "catalogue": "",
		"api_host": "vivarium.example.test"}
	nodes, inputs := inputsOf(t, resolved(t, given), "helm_release")
	require.Contains(t, nodes, `meta.arangodb_database.store["full"]`)
	require.False(t, slices.ContainsFunc(nodes, func(a string) bool {
		return strings.Contains(a, "container.broker") || strings.Contains(a, "container.consul") || strings.Contains(a, "container.vault")
	}))
	require.Len(t, inputs, 6)
	for address, of := range inputs {
		require.Contains(t, rendered(t, of), "name: "+of["name"].(string), address)
	}

	var broker map[string]any
	require.NotPanics(t, func() { broker = inputs[`meta.helm_release.broker["full"]`]["values"].(map[string]any) })
	require.Equal(t, map[string]any{"ca": "PEM", "certificate": "PEM", "key": sensitive}, broker["tls"], "its certificate is of Vault's authority")

	delete(given, "profile")
	delete(given, "api_host")
	nodes, inputs = inputsOf(t, resolved(t, given), "helm_release")
	require.Empty(t, inputs, "the profile small has no charts")
	require.Contains(t, nodes, `meta.container.broker["one"]`)
	require.Contains(t, nodes, `meta.container.vault["one"]`)
}
