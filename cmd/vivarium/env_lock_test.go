package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// guarded is a template with keys that may not be destroyed while a parameter says so, and keys that are left behind.
const guarded = `
template "guarded" { version = "1.0.0" }
parameter "guard" {
  type    = bool
  default = true
}
resource "consul_kv" "data" {
  prefix = "guarded/${environment.name}/data"
  keys   = { a = "1" }
  lifecycle { prevent_destroy = param.guard }
}
resource "consul_kv" "archive" {
  prefix = "guarded/${environment.name}/archive"
  keys   = { of = resource.consul_kv.data.outputs.prefix }
  lifecycle { retain = true }
}
`

func TestProtection(t *testing.T) {
	consul := servers.SharedConsul(t)
	templates := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(templates, "guarded"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "guarded", "template.hcl"), []byte(guarded), 0o600))
	r := serveWith(t, map[string]string{"CONSUL_HTTP_ADDR": consul.Address()}, t.TempDir(), templates, "--primary")
	k := &keeper{r, "http://" + consul.Address() + "/v1/kv/guarded/"}

	r.command(t, exitOK, "env", "create", "one", "--template", "guarded", "--wait")
	require.Contains(t, r.command(t, exitFailed, "env", "destroy", "one", "--yes"), "guarded.consul_kv.data may not be destroyed")
	require.Contains(t, r.command(t, exitFailed, "env", "plan", "one", "--destroy"), "guarded.consul_kv.data may not be destroyed")
	require.Contains(t, r.command(t, exitOK, "env", "lock", "one", "--reason", "the audit"), "env unlock one")
	require.Contains(t, r.command(t, exitFailed, "env", "update", "one", "--param", "guard=false"), "the audit")
	require.Contains(t, r.command(t, exitOK, "env", "list"), "deployed (locked)")
	require.Contains(t, r.command(t, exitOK, "env", "show", "one"), "the audit")
	require.Contains(t, r.command(t, exitOK, "env", "unlock", "one"), "unlocked")
	require.Contains(t, r.command(t, exitUsage, "env", "destroy", "one"), "say --yes")
	r.command(t, exitOK, "env", "update", "one", "--param", "guard=false", "--wait")
	r.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait")
	require.Contains(t, r.command(t, exitOK, "env", "show", "one"), "Retained     guarded.consul_kv.archive")
	require.Regexp(t, `one +guarded.consul_kv.archive +retained`, r.command(t, exitOK, "env", "orphans"))
	k.change(t, http.MethodGet, "one/archive/of", "")
	require.Contains(t, r.command(t, exitOK, "env", "journal", "one"), "step.retained")

	r.command(t, exitOK, "env", "create", "one", "--template", "guarded", "--param", "guard=false", "--wait")
	require.NotContains(t, r.command(t, exitOK, "env", "show", "one"), "Retained")
}
