package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.hcl")
	require.NoError(t, os.WriteFile(broken, []byte("primry = true\n"), 0o600))
	empty := filepath.Join(dir, "data")
	tests := map[string]struct {
		args []string
		code int
		says string
	}{
		"help":                      {[]string{"--help"}, exitOK, ""},
		"version":                   {[]string{"version"}, exitOK, ""},
		"no command":                {[]string{"env"}, exitOK, ""},
		"unknown command":           {[]string{"environmnt"}, exitUsage, `did you mean "environment"?`},
		"unknown sub-command":       {[]string{"env", "destory", "x"}, exitUsage, `did you mean "destroy"?`},
		"unknown flag":              {[]string{"env", "list", "--nope"}, exitUsage, "--nope"},
		"missing argument":          {[]string{"env", "show"}, exitUsage, "accepts 1 arg"},
		"wrong format":              {[]string{"version", "-o", "xml"}, exitUsage, "table, json"},
		"wrong status":              {[]string{"env", "list", "--status", "ok"}, exitUsage, "deployed"},
		"no template":               {[]string{"env", "create", "x"}, exitUsage, "--template"},
		"wrong parameter":           {[]string{"env", "create", "x", "--template", "t", "--param", "novalue"}, exitUsage, "name=value"},
		"wrong time":                {[]string{"env", "create", "x", "--template", "t", "--destroy-at", "soon"}, exitUsage, "8h"},
		"destroy without terminal":  {[]string{"env", "destroy", "x"}, exitUsage, "--yes"},
		"wrong setting":             {[]string{"server", "--listen", "nowhere"}, exitUsage, "--listen"},
		"wrong file":                {[]string{"server", "--config", broken}, exitUsage, `Did you mean "primary"?`},
		"missing file":              {[]string{"server", "--config", filepath.Join(dir, "none")}, exitUsage, "none"},
		"runner without pool":       {[]string{"runner"}, exitUsage, "--pool"},
		"no server":                 {[]string{"env", "list", "--data-dir", empty}, exitFailed, "vivarium server --primary"},
		"no server to publish to":   {[]string{"env", "cancel", "x", "--data-dir", empty}, exitFailed, "vivarium server --primary"},
		"no server for the runner":  {[]string{"runner", "--pool", "p", "--data-dir", empty}, exitFailed, "vivarium server --primary"},
		"wrong bus":                 {[]string{"env", "cancel", "x", "--bus", "http://h"}, exitUsage, "amqp://"},
		"folder without a template": {[]string{"template", "validate", dir}, exitFailed, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(nil)
			require.Equal(t, tt.code, f.run(context.Background(), tt.args), f.stderr)
			require.Contains(t, f.stderr.String(), tt.says)
			if tt.code == exitUsage {
				require.Contains(t, f.stderr.String(), "vivarium: ")
				require.Empty(t, f.stdout.String())
			}
		})
	}
}

func TestInterruptedCommandsSaySo(t *testing.T) {
	f := newFake(nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	code := f.run(ctx, []string{"env", "list", "--server", "http://127.0.0.1:1"})
	require.Equal(t, exitFailed, code)
	require.Equal(t, "vivarium: interrupted\n", f.stderr.String())
}

func TestDestroyAsksForTheName(t *testing.T) {
	f := newFake(nil)
	f.terminal = func(any) bool { return true }
	f.in = bytesOf("other\n")
	require.ErrorContains(t, f.confirm("notes", "notes and everything in it", ""), "nothing was destroyed")
	f.in = bytesOf("notes\n")
	require.NoError(t, f.confirm("notes", "notes and everything in it", ""))
	f.in = bytesOf("")
	require.Error(t, f.confirm("notes", "notes and everything in it", ""))
}
