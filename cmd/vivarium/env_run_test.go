package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// occasions is a template whose actions write down what they run on.
func occasions(t *testing.T, diary string) string {
	t.Helper()
	dir := t.TempDir()
	text := `
template "occasions" {
  version = "1.0.0"
}
resource "noop" "base" {
  inputs = { diary = "` + diary + `" }
}
action "note" {
  run_on      = ["create", "demand"]
  command     = ["sh", "-c", "echo $VIVARIUM_OCCASION >> $DIARY"]
  environment = { DIARY = resource.noop.base.outputs.inputs.diary }
}
action "break" {
  run_on  = ["demand"]
  command = ["false"]
}
action "farewell" {
  run_on      = ["destroy"]
  command     = ["sh", "-c", "echo $VIVARIUM_OCCASION >> $DIARY"]
  environment = { DIARY = resource.noop.base.outputs.inputs.diary }
}
`
	require.NoError(t, os.Mkdir(filepath.Join(dir, "occasions"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "occasions", "template.hcl"), []byte(text), 0o600))
	return dir
}

func TestActionsRunOnTheirOccasions(t *testing.T) {
	diary := filepath.Join(t.TempDir(), "diary")
	r := serve(t, t.TempDir(), occasions(t, diary), "--primary")
	written := func() string {
		text, err := os.ReadFile(diary)
		require.NoError(t, err)
		return string(text)
	}
	require.Contains(t, r.command(t, exitOK, "env", "create", "one", "--template", "occasions", "--wait"), "one is deployed.")
	require.Equal(t, "create\n", written())
	require.Contains(t, r.command(t, exitOK, "env", "list"), "2/2")
	require.Contains(t, r.command(t, exitOK, "env", "run", "one", "note", "--wait"), "one is deployed.")
	require.Equal(t, "create\ndemand\n", written())
	require.Contains(t, r.command(t, exitFailed, "env", "run", "one", "occasions.action.break", "--wait"), "exit code 1")
	require.Contains(t, r.command(t, exitOK, "env", "show", "one"), "deployed")
	require.Contains(t, r.command(t, exitFailed, "env", "run", "one", "farewell"), "run_on")
	require.Contains(t, r.command(t, exitFailed, "env", "run", "one", "nothing"), "occasions.action.note")
	r.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait")
	require.Equal(t, "create\ndemand\ndestroy\n", written())
}
