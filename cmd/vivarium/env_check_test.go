package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/test/servers"
)

const kept = `
template "kept" {
  version = "1.0.0"
}
parameter "title" {
  type    = string
  default = "Notes"
}
parameter "token" {
  type      = string
  sensitive = true
  default   = "nobody-may-see-this"
}
parameter "extra" {
  type    = bool
  default = true
}
resource "consul_kv" "base" {
  prefix = "kept/${environment.name}/base"
  keys   = { title = param.title, token = param.token }
}
resource "consul_kv" "more" {
  prefix = "kept/${environment.name}/more"
  keys   = { of = resource.consul_kv.base.outputs.prefix }
}
resource "consul_kv" "extra" {
  count  = param.extra ? 1 : 0
  prefix = "kept/${environment.name}/extra"
  keys   = { a = "1" }
}
`

// keeper is a server with a real Consul, in which the template kept has keys.
type keeper struct {
	*running
	consul string
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	consul := servers.SharedConsul(t)
	templates := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(templates, "kept"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "kept", "template.hcl"), []byte(kept), 0o600))
	r := serveWith(t, map[string]string{"CONSUL_HTTP_ADDR": consul.Address()}, t.TempDir(), templates, "--primary")
	return &keeper{r, "http://" + consul.Address() + "/v1/kv/kept/"}
}

// change is what somebody does in Consul who does not know of Vivarium.
func (k *keeper) change(t *testing.T, method, key, value string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, k.consul+key, strings.NewReader(value))
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
}

func TestDriftIsFoundAndHealed(t *testing.T) {
	k := newKeeper(t)
	k.command(t, exitOK, "env", "create", "one", "--template", "kept", "--wait")
	require.Contains(t, k.command(t, exitOK, "env", "check", "one", "--wait", "--detailed-exitcode"), "0 of 3 resources looked at are not as they were left")

	k.change(t, http.MethodPut, "one/base/title", "Graffiti")
	k.change(t, http.MethodPut, "one/base/token", "guessed-by-somebody")
	k.change(t, http.MethodDelete, "one/extra/?recurse", "")
	text := k.command(t, exitOther, "env", "check", "one", "--wait", "--detailed-exitcode")
	require.Contains(t, text, "kept.consul_kv.base is not as it was left")
	require.Contains(t, text, "Notes -> Graffiti")
	require.Contains(t, text, "kept.consul_kv.extra[0] is gone")
	require.Contains(t, text, "2 of 3 resources")
	require.NotContains(t, text, "nobody-may-see-this")
	require.Contains(t, k.command(t, exitOK, "env", "check", "one", "--resource", "kept.consul_kv.more", "--wait"), "0 of 1 resources")
	require.Contains(t, k.command(t, exitOK, "env", "show", "one"), "Notes -> Graffiti")
	var shown struct {
		Environment environment.Record
		Resources   []environment.ResourceRecord
	}
	require.NoError(t, json.Unmarshal([]byte(k.command(t, exitOK, "env", "show", "one", "-o", "json")), &shown))
	require.Equal(t, environment.Deployed, shown.Environment.Status)
	require.Equal(t, 2, shown.Environment.Drifted)
	for _, r := range shown.Resources {
		if r.Address == "kept.consul_kv.extra[0]" {
			require.Equal(t, event.Absent, r.Drift.Presence)
		}
	}
	journal := k.command(t, exitOK, "env", "journal", "one")
	require.Equal(t, 5, strings.Count(journal, "resource.observed"), "three at first and two that changed; what is found again is no news\n%s", journal)
	require.NotContains(t, journal, "nobody-may-see-this")

	k.command(t, exitOK, "env", "update", "one", "--wait")
	require.Contains(t, k.command(t, exitOther, "env", "check", "one", "--wait", "--detailed-exitcode"), "2 of 3", "an update does not look for drift")
	k.command(t, exitOK, "env", "update", "one", "--heal", "--wait")
	require.NotContains(t, k.command(t, exitOK, "env", "show", "one"), "Graffiti")
	require.Contains(t, k.command(t, exitOK, "env", "check", "one", "--wait", "--detailed-exitcode"), "0 of 3")

	require.Contains(t, k.command(t, exitUsage, "env", "check", "one", "--detailed-exitcode"), "--wait")
	require.Contains(t, k.command(t, exitFailed, "env", "check", "one", "--resource", "kept.consul_kv.nothing"), "kept.consul_kv.nothing")
	k.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait")
	require.Contains(t, k.command(t, exitFailed, "env", "check", "one"), "there is no environment")
}
