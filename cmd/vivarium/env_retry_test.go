package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
)

// fragile is a template whose second action fails until a file is there.
func fragile(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	text := `
template "fragile" {
  version = "1.0.0"
}
action "first" {
  command = ["sh", "-c", "echo one; echo two; echo three"]
}
action "second" {
  after   = [action.first]
  command = ["test", "-f", "` + file + `"]
}
action "third" {
  after   = [action.second]
  command = ["echo", "done"]
}
`
	require.NoError(t, os.Mkdir(filepath.Join(dir, "fragile"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fragile", "template.hcl"), []byte(text), 0o600))
	return dir
}

func TestWhatFailedIsTriedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "there")
	r := serve(t, t.TempDir(), fragile(t, file), "--primary")
	r.command(t, exitFailed, "env", "create", "one", "--template", "fragile", "--wait")
	shown := r.command(t, exitOK, "env", "show", "one")
	require.Contains(t, shown, "dependency-failed:")
	require.Contains(t, shown, "vivarium env retry one")
	r.command(t, exitFailed, "env", "retry", "one", "--wait")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	text := r.command(t, exitOK, "env", "retry", "one", "--fail-fast", "--wait")
	require.Contains(t, text, "one is deployed.")
	require.NotContains(t, text, "complete   action.first", "what is done is not done again")
	require.Contains(t, r.command(t, exitFailed, "env", "retry", "one"), "nothing of it failed")
	require.Contains(t, r.command(t, exitFailed, "env", "pause", "one"), "nothing is under way")

	all := r.command(t, exitOK, "env", "logs", "one", "--step", "action.first", "--operation", "op-1", "--attempt", "1", "-f")
	require.Equal(t, "one\ntwo\nthree\n", all)
	require.Empty(t, r.command(t, exitOK, "env", "logs", "one", "--step", "action.first", "--operation", "op-1", "--attempt", "7"))
	require.Contains(t, r.command(t, exitFailed, "env", "logs", "one", "--step", "action.none"), "no step")
}

func TestAStepThatWaitsForARunnerSaysSo(t *testing.T) {
	dir := t.TempDir()
	r := serve(t, dir, catalogue(t), "--primary", "--no-runner")
	require.Contains(t, r.command(t, exitOK, "runner", "list"), "No runner is heard")
	require.Contains(t, r.command(t, exitOK, "env", "create", "one", "--template", "hello"), "accepted")
	shows := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			f := newFake(nil)
			f.run(context.Background(), []string{"env", "show", "one", "--data-dir", dir})
			return strings.Contains(f.stdout.String(), want)
		}, 30*time.Second, 50*time.Millisecond, want)
	}
	shows("no-runner:")
	shows("vivarium runner --pool default")
	require.Contains(t, r.command(t, exitOK, "env", "pause", "one", "--reason", "maintenance"), "one is paused")
	shows("paused")
	require.Contains(t, r.command(t, exitFailed, "env", "pause", "one"), "paused already")
	require.Contains(t, r.command(t, exitOK, "env", "resume", "one"), "one goes on")
	require.Contains(t, r.command(t, exitFailed, "env", "resume", "one"), "not paused")

	ctx, stop := context.WithCancel(context.Background())
	f := newFake(map[string]string{"PATH": os.Getenv("PATH")})
	log := &synced{}
	f.out, f.err = log, log
	code := make(chan int, 1)
	go func() {
		code <- f.run(ctx, []string{"runner", "--pool", "default", "--name", "rack-4", "--data-dir", dir})
	}()
	require.Contains(t, r.command(t, exitOK, "env", "watch", "one"), "one is deployed.")
	require.Contains(t, r.command(t, exitOK, "runners"), "rack-4")
	var list []wire.Runner
	require.NoError(t, json.Unmarshal([]byte(r.command(t, exitOK, "runner", "list", "-o", "json")), &list))
	require.Equal(t, []string{"default"}, list[0].Pools)
	stop()
	require.Equal(t, exitOK, <-code, "%s", log)
}
