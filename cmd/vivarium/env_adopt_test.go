package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdoptionsAreReadFromTheCommandLine(t *testing.T) {
	all, err := adoptions([]string{`n.consul_kv.a`, `n.consul_kv.b["x=y"]`, `n.container.c["k=]"]=web-1`, `n.terraform.d={"a.b[0]": "id=1"}`, `n.terraform.e=null`})
	require.NoError(t, err)
	require.Equal(t, map[string]json.RawMessage{`n.consul_kv.a`: json.RawMessage("true"), `n.consul_kv.b["x=y"]`: json.RawMessage("true"),
		`n.container.c["k=]"]`: json.RawMessage(`"web-1"`), `n.terraform.d`: json.RawMessage(`{"a.b[0]": "id=1"}`), `n.terraform.e`: json.RawMessage("null")}, all)
	_, err = adoptions([]string{"=x"})
	require.Error(t, err)
}

func TestExistingKeysAreTakenOver(t *testing.T) {
	k := newKeeper(t)
	k.change(t, http.MethodPut, "one/base/title", "Notes")
	k.change(t, http.MethodPut, "one/base/token", "somebody-elses-secret")
	k.change(t, http.MethodPut, "one/base/note", "nobody asked for this one")
	arguments := []string{"env", "adopt", "one", "--template", "kept", "--resource", "kept.consul_kv.base", "--wait"}
	text := k.say(t, exitFailed, "yes\n", arguments...)
	require.Contains(t, text, "~ kept/one/base/token: (sensitive) -> (sensitive)")
	require.Contains(t, text, "kept.consul_kv.base is not taken over, since it is not as the template says (update): update kept/one/base/token; nothing was changed")
	require.Contains(t, k.command(t, exitFailed, "env", "retry", "one", "--wait"), "is not taken over")
	k.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait")

	k.change(t, http.MethodPut, "one/base/token", "nobody-may-see-this") // it was never ours, so it is there
	text = k.say(t, exitOK, "yes\n", arguments...)
	require.Contains(t, text, "2 to create, 0 to update, 0 to replace, 0 to destroy, 0 unknown, 1 unchanged.")
	require.Contains(t, text, "one is deployed.")
	require.Contains(t, k.command(t, exitOK, "env", "check", "one", "--wait", "--detailed-exitcode"), "0 of 3 resources")
	require.Contains(t, k.command(t, exitFailed, "env", "adopt", "one", "--resource", "kept.consul_kv.base", "--yes"), "own already")
	k.command(t, exitOK, "env", "update", "one", "--param", "title=Other", "--wait")

	require.Contains(t, k.command(t, exitFailed, "env", "adopt", "two", "--template", "kept", "--resource", "kept.action.none", "--yes"), "to have no")
	k.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait")
	answer, err := http.Get(k.consul + "one/base/?keys") //nolint:noctx // a test
	require.NoError(t, err)
	var keys []string
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&keys))
	require.NoError(t, answer.Body.Close())
	require.Equal(t, []string{"kept/one/base/note"}, keys, "what was taken over is destroyed, and what was not is left")
	k.change(t, http.MethodDelete, "one/?recurse", "")

	k.change(t, http.MethodPut, "two/base/title", "Former")
	require.Contains(t, k.command(t, exitOK, "env", "adopt", "two", "--template", "kept", "--resource", "kept.consul_kv.base", "--force", "--yes", "--wait"), "two is deployed.")
	k.command(t, exitOK, "env", "destroy", "two", "--yes", "--wait")
}
