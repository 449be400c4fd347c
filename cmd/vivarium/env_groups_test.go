package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// grouped is a template with two groups, of which the second fails until a file is there.
func grouped(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	text := `
template "grouped" {
  version = "1.0.0"
}
group "base" {}
group "app" { depends_on = [group.base] }
resource "noop" "net" { group = "base" }
resource "noop" "api" {
  group  = "app"
  inputs = { net = resource.noop.net.outputs.inputs }
}
action "check" {
  group   = "app"
  after   = [resource.noop.api]
  command = ["test", "-f", "` + file + `"]
}
`
	require.NoError(t, os.Mkdir(filepath.Join(dir, "grouped"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "grouped", "template.hcl"), []byte(text), 0o600))
	return dir
}

func TestGroupsAreRetriedRedeployedAndPausedAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "there")
	dir, templates := t.TempDir(), grouped(t, file)
	r := serve(t, dir, templates, "--primary")
	r.command(t, exitFailed, "env", "create", "one", "--template", "grouped", "--wait")
	require.Contains(t, r.command(t, exitFailed, "env", "retry", "one", "--group", "base"), "nothing of base")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Contains(t, r.command(t, exitOK, "env", "retry", "one", "--group", "app", "--wait"), "one is deployed.")

	require.Contains(t, r.command(t, exitUsage, "env", "redeploy", "one"), "--group")
	require.Contains(t, r.command(t, exitFailed, "env", "redeploy", "one", "--group", "apps"), `has no group "apps"`)
	require.Contains(t, r.command(t, exitOK, "env", "redeploy", "one", "--group", "base", "--wait"), "one is deployed.")
	journal := r.command(t, exitOK, "env", "journal", "one")
	require.Contains(t, journal, "group app: tried again where it failed")
	require.Contains(t, journal, "group base: applied again")
	require.Contains(t, journal, "grouped.noop.api: would be given what it was given last")

	said := r.command(t, exitOK, "env", "pause", "one", "--group", "app", "--reason", "the registry is being moved")
	require.Contains(t, said, "app of one is paused")
	require.Contains(t, said, "vivarium env resume one --group app")
	r.end(t)

	r = serve(t, dir, templates, "--primary")
	r.command(t, exitOK, "env", "redeploy", "one", "--group", "base")
	require.Eventually(t, func() bool {
		f := newFake(nil)
		return f.run(t.Context(), []string{"env", "show", "one", "--data-dir", dir}) == exitOK && contains(f.stdout.String(), `group "app" was paused by`, "because the registry is being moved", "Paused")
	}, time.Minute, 20*time.Millisecond, "%s", r.log)
	require.Contains(t, r.command(t, exitOK, "env", "show", "one", "--output", "json"), `"code": "paused"`)
	require.Contains(t, r.command(t, exitOK, "env", "resume", "one", "--group", "app"), "app of one goes on")
	require.Contains(t, r.command(t, exitOK, "env", "watch", "one"), "deployed")
	require.NotContains(t, r.command(t, exitOK, "env", "show", "one"), "Paused")
}

func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// TestWhatIsDoneWithAGroupIsApproved: a plan of the group alone waits, and is what is done then.
func TestWhatIsDoneWithAGroupIsApproved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "there")
	dir, templates := t.TempDir(), grouped(t, file)
	text, err := os.ReadFile(filepath.Join(templates, "grouped", "template.hcl"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(templates, "grouped", "template.hcl"), append(text, "approval { self = true }\n"...), 0o600))
	r := serve(t, dir, templates, "--primary")
	approved := func(want string, arguments ...string) string {
		t.Helper()
		r.command(t, exitOK, append([]string{"env"}, arguments...)...)
		require.Eventually(t, func() bool {
			f := newFake(nil)
			return f.run(t.Context(), []string{"env", "show", "one", "--data-dir", dir}) == exitOK && strings.Contains(f.stdout.String(), "awaiting-approval")
		}, time.Minute, 20*time.Millisecond, "%s", r.log)
		r.command(t, exitOK, "env", "approve", "one")
		require.Contains(t, r.command(t, exitOK, "env", "watch", "one"), want)
		return r.command(t, exitOK, "env", "journal", "one")
	}
	r.command(t, exitFailed, "env", "create", "one", "--template", "grouped", "--wait")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	journal := approved("deployed", "retry", "one", "--group", "app")
	require.Contains(t, journal, "an update, or a create, that tries app again, is planned first")
	require.Contains(t, journal, "group app: tried again where it failed")

	journal = approved("deployed", "destroy", "one", "--group", "app", "--yes")
	require.Contains(t, journal, "a destroy of app is planned first")
	require.Contains(t, journal, "group app: destroyed, step by step")
	require.Contains(t, journal, "grouped.noop.api: destroyed")
	require.NotContains(t, journal, "grouped.noop.net: destroyed")
}
