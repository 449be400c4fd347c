package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func TestAPlanShowsWhatWouldChangeAndChangesNothing(t *testing.T) {
	k := newKeeper(t)
	text := k.command(t, exitOther, "env", "plan", "one", "--template", "kept", "--detailed-exitcode")
	require.Contains(t, text, "+ kept.consul_kv.base")
	require.Contains(t, text, "? kept/one/more/of = (known after kept.consul_kv.base)", "that it is made is certain, and what it says is not")
	require.Contains(t, text, "one, operation op-1: 3 to create, 0 to update, 0 to replace, 0 to destroy, 0 unknown, 0 unchanged.")
	require.NotContains(t, text, "nobody-may-see-this")
	require.Contains(t, k.command(t, exitOK, "env", "list"), "planned")
	require.Contains(t, k.command(t, exitFailed, "env", "update", "one"), "there is no environment")
	require.Contains(t, k.command(t, exitFailed, "env", "plan", "two"), "templates")

	require.Contains(t, k.command(t, exitOK, "env", "create", "one", "--template", "kept", "--wait"), "one is deployed.")
	before := k.command(t, exitOK, "env", "show", "one", "-o", "json")
	require.Contains(t, k.command(t, exitOK, "env", "plan", "one", "--detailed-exitcode"), "0 unknown, 3 unchanged.")

	text = k.command(t, exitOther, "env", "plan", "one", "--param", "title=Other", "--param", "token=another-secret", "--param", "extra=false", "--detailed-exitcode")
	require.Contains(t, text, "~ kept.consul_kv.base")
	require.Contains(t, text, "Notes -> Other")
	require.Contains(t, text, "? kept.consul_kv.more  (known after kept.consul_kv.base)")
	require.Contains(t, text, "- kept.consul_kv.extra[0]  is destroyed")
	require.Contains(t, text, "0 to create, 1 to update, 0 to replace, 1 to destroy, 1 unknown, 0 unchanged.")
	require.NotContains(t, text, "another-secret")
	require.NotContains(t, k.command(t, exitOK, "env", "journal", "one"), "another-secret")

	var planned struct {
		Operation string
		Plan      environment.PlanRecord
	}
	require.NoError(t, json.Unmarshal([]byte(k.command(t, exitOK, "env", "plan", "one", "--destroy", "-o", "json")), &planned))
	require.Equal(t, map[event.Change]int{event.ChangeNone: 0, event.ChangeDestroy: 3}, planned.Plan.Counts)

	var was, is struct {
		Environment environment.Record
		Resources   []environment.ResourceRecord
	}
	require.NoError(t, json.Unmarshal([]byte(before), &was))
	require.NoError(t, json.Unmarshal([]byte(k.command(t, exitOK, "env", "show", "one", "-o", "json")), &is))
	require.Equal(t, planned.Operation, is.Environment.Operation)
	require.Equal(t, was.Resources, is.Resources, "nothing has changed")
	require.Equal(t, environment.Deployed, is.Environment.Status)
	require.Equal(t, was.Environment.Parameters["title"], is.Environment.Parameters["title"])

	k.change(t, http.MethodDelete, "one/extra/?recurse", "")
	k.command(t, exitOK, "env", "check", "one", "--wait")
	require.Contains(t, k.command(t, exitOK, "env", "plan", "one", "--heal"), "+ kept.consul_kv.extra[0]")
	k.command(t, exitOK, "env", "update", "one", "--param", "extra=false", "--wait")
	require.Contains(t, k.command(t, exitUsage, "env", "plan", "one", "--destroy", "--param", "a=1"), "--destroy")
	k.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait")
}
