package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/history"
)

// say runs a command line on a terminal on which a person types.
func (r *running) say(t *testing.T, want int, typed string, arguments ...string) string {
	t.Helper()
	f := newFake(map[string]string{"NO_COLOR": "1", "TERM": "dumb"})
	f.in, f.terminal = strings.NewReader(typed), func(any) bool { return true }
	code := f.run(context.Background(), append(arguments, "--data-dir", r.dir))
	require.Equal(t, want, code, "%s%s\n%s", f.stdout, f.stderr, r.log)
	return f.stdout.String() + f.stderr.String()
}

func TestRevisionsRollbackCloneAndPromote(t *testing.T) {
	k := newKeeper(t)
	k.command(t, exitOK, "env", "create", "one", "--template", "kept", "--wait")
	k.command(t, exitOK, "env", "update", "one", "--param", "title=Other", "--param", "token=another-secret", "--param", "extra=false", "--wait")
	text := k.command(t, exitOK, "env", "revisions", "one")
	require.Regexp(t, `(?m)^1 .* create +kept@1.0.0 .* succeeded$`, text)
	require.Regexp(t, `(?m)^2 .* update +kept@1.0.0 .*extra=false title=Other token=\(sensitive\) +succeeded$`, text)
	var list []history.Revision
	require.NoError(t, json.Unmarshal([]byte(k.command(t, exitOK, "env", "revisions", "one", "-o", "json")), &list))
	require.Len(t, list, 2)
	require.Len(t, list[1].Parameters, 3)

	require.Contains(t, k.command(t, exitUsage, "env", "rollback", "one", "1"), "--yes")
	text = k.say(t, exitFailed, "no\n", "env", "rollback", "one", "1")
	require.Contains(t, text, "~ title: Other -> Notes")
	require.Contains(t, text, "~ token: another secret")
	require.Contains(t, text, "+ kept.consul_kv.extra[0]")
	require.Contains(t, text, "nothing was changed")
	require.Contains(t, k.command(t, exitOK, "env", "plan", "one", "--revision", "1"), "~ title: Other -> Notes")
	require.Contains(t, k.say(t, exitOK, "yes\n", "env", "rollback", "one", "--wait"), "one is deployed.")
	require.Contains(t, k.command(t, exitOK, "env", "revisions", "one"), "rollback to 1")
	require.Contains(t, k.command(t, exitOK, "env", "plan", "one", "--param", "title=Notes"), "3 unchanged.")
	k.command(t, exitFailed, "env", "rollback", "one", "9", "--yes")
	k.command(t, exitUsage, "env", "rollback", "one", "first", "--yes")

	text = k.say(t, exitOK, "yes\n", "env", "clone", "two", "--from", "one", "--revision", "2", "--param", "title=Second", "--wait")
	require.Contains(t, text, "two, operation op-1: 2 to create")
	require.Contains(t, text, "two is deployed.")
	text = k.say(t, exitOK, "yes\n", "env", "promote", "two", "--from", "one", "--keep", "title", "--wait")
	require.NotContains(t, text, "~ title")
	require.Contains(t, text, "+ kept.consul_kv.extra[0]")
	require.Contains(t, k.command(t, exitOK, "env", "revisions", "two"), "promote of one, revision 3")
	require.Contains(t, k.command(t, exitOK, "env", "plan", "two", "--from", "one"), "3 unchanged.", "what it keeps is remembered")
	require.Contains(t, k.command(t, exitUsage, "env", "promote", "two", "--yes"), "--from")
	require.NotContains(t, k.command(t, exitOK, "env", "journal", "two", "-o", "json"), "another-secret")
	for _, name := range []string{"one", "two"} {
		k.command(t, exitOK, "env", "destroy", name, "--yes", "--wait")
	}
}
