package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// plugins is a folder with the example in it.
func plugins(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "file"), "../../test/plugin/file").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// keeping is a catalogue with a template that keeps a file.
func keeping(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "hello"), 0o700))
	text := fmt.Sprintf("template \"hello\" {\n version = \"1.0.0\"\n}\nresource \"file\" \"a\" {\n path = %q\n content = \"of ${environment.name}\"\n}\n", path)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hello", "template.hcl"), []byte(text), 0o600))
	return dir
}

// TestAPluginsStepsWaitForARunnerThatHasIt, and are done by it.
func TestAPluginsStepsWaitForARunnerThatHasIt(t *testing.T) {
	folder, file := plugins(t), filepath.Join(t.TempDir(), "kept")
	dir, templates := t.TempDir(), keeping(t, file)
	r := serve(t, dir, templates, "--primary", "--no-runner", "--plugins", folder)
	runner := func(arguments ...string) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		f := newFake(map[string]string{"PATH": os.Getenv("PATH")})
		log, code := &synced{}, make(chan int, 1)
		f.out, f.err = log, log
		go func() {
			code <- f.run(ctx, append([]string{"runner", "--pool", "default", "--data-dir", dir}, arguments...))
		}()
		return func() { cancel(); require.Equal(t, exitOK, <-code, "%s", log) }
	}
	without := runner("--name", "without")
	r.command(t, exitOK, "env", "create", "one", "--template", "hello")
	require.Eventually(t, func() bool {
		return strings.Contains(r.command(t, exitOK, "env", "show", "one"), `with the executor "file"`)
	}, 30*time.Second, 50*time.Millisecond)
	stop := runner("--name", "with", "--plugins", folder)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		return err == nil && string(text) == "of one"
	}, 30*time.Second, 50*time.Millisecond)
	require.Contains(t, r.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait"), "one is destroyed.")
	require.NoFileExists(t, file)
	stop()
	without()
}

func TestAPluginThatIsNoneStopsTheStart(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "script"), []byte("#!/bin/sh\necho hello\n"), 0o700))
	f := newFake(map[string]string{"PATH": os.Getenv("PATH")})
	code := f.run(context.Background(), []string{"server", "--primary", "--plugins", folder, "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0"})
	require.Equal(t, exitFailed, code)
	require.Contains(t, f.stderr.String(), filepath.Join(folder, "script"))
	require.Contains(t, f.stderr.String(), "take it out of its folder")
}

func TestTemplatesAreValidatedWithAllKinds(t *testing.T) {
	folder := plugins(t)
	templates := keeping(t, "/tmp/kept")
	f := newFake(map[string]string{pluginsVariable: folder})
	require.Equal(t, exitOK, f.run(context.Background(), []string{"template", "validate", filepath.Join(templates, "hello")}), f.stderr)
	f = newFake(nil)
	require.NotEqual(t, exitOK, f.run(context.Background(), []string{"template", "validate", filepath.Join(templates, "hello")}))
	kinds, err := f.kinds(context.Background())
	require.NoError(t, err)
	for _, name := range []string{"consul_kv", "vault_secret", "container", "terraform", "action", "noop", "helm_release", "arangodb_database"} {
		require.Contains(t, kinds, name)
	}
}
