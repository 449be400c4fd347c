package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/backup"
)

// line runs a command line that needs no server.
func line(t *testing.T, want int, arguments ...string) string {
	t.Helper()
	f := newFake(nil)
	require.Equal(t, want, f.run(context.Background(), arguments), "%v\n%s%s", arguments, f.stdout, f.stderr)
	return f.stdout.String() + f.stderr.String()
}

// TestStoreMoves: a server's store is exported while it runs, imported elsewhere, and another server goes on with it.
func TestStoreMoves(t *testing.T) {
	there := filepath.Join(t.TempDir(), "there")
	require.NoError(t, os.WriteFile(there, nil, 0o600))
	templates := fragile(t, there)
	r := serve(t, t.TempDir(), templates, "--primary")
	r.command(t, exitOK, "env", "create", "one", "--template", "fragile", "--wait")
	file, other := filepath.Join(t.TempDir(), "backup.vivarium"), filepath.Join(t.TempDir(), "other")
	require.Contains(t, line(t, exitOK, "store", "export", file, "--logs", "--data-dir", r.dir), file+" is whole")
	require.Contains(t, line(t, exitFailed, "store", "rebuild", "--data-dir", r.dir), "is in use by")
	require.Contains(t, line(t, exitFailed, "store", "import", file, "--data-dir", r.dir), "is in use by")
	r.end(t)

	var s backup.Summary
	require.NoError(t, json.Unmarshal([]byte(line(t, exitOK, "store", "verify", file, "-o", "json")), &s))
	require.EqualValues(t, 1, s.Templates)
	require.EqualValues(t, 4, s.LogLines)
	require.Positive(t, s.Entries)
	line(t, exitOK, "store", "verify", file, "--data-dir", r.dir)
	require.Contains(t, line(t, exitUsage, "store", "verify", file, "--data-dir", other), "there is no store")

	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file+".cut", whole[:len(whole)/2], 0o600))
	require.Contains(t, line(t, exitFailed, "store", "import", file+".cut", "--data-dir", other), "cut off")
	require.Contains(t, line(t, exitOK, "store", "import", file, "--data-dir", other), "is imported")
	line(t, exitOK, "store", "import", file, "--data-dir", other)
	require.Contains(t, line(t, exitOK, "store", "rebuild", "--data-dir", other, "--detailed-exitcode"), "0 things differed")

	key, err := os.ReadFile(filepath.Join(r.dir, "key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(other, "key"), key, 0o600))
	r = serve(t, other, templates, "--primary")
	require.Contains(t, r.command(t, exitOK, "env", "show", "one"), "deployed")
	require.Equal(t, "one\ntwo\nthree\n", r.command(t, exitOK, "env", "logs", "one", "--step", "action.first"))
	require.Contains(t, r.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait"), "destroyed")
}
