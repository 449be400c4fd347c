package servers

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConsul(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	one, err := StartConsul(ctx, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, one.Kill()) }()
	require.Regexp(t, `^\d+\.\d+\.\d+`, one.Version())
	address := one.Address()
	put := func() error { return one.ask(ctx, http.MethodPut, "/v1/kv/here", nil, http.StatusOK) }
	get := func(path string) error { return one.ask(ctx, http.MethodGet, path, nil, http.StatusOK) }
	require.NoError(t, put())

	require.NoError(t, one.Pause())
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	require.ErrorIs(t, one.ready(short), context.DeadlineExceeded, "a paused server does not answer")
	require.NoError(t, one.Resume())
	require.NoError(t, one.ready(ctx))

	require.NoError(t, one.Kill())
	gone(t, address)
	require.Error(t, one.Pause())
	require.NoError(t, one.Start(ctx))
	require.NoError(t, one.Start(ctx), "it runs already")
	require.NoError(t, get("/v1/kv/here"), "keys outlast a crash")
	require.NoError(t, one.Restart(ctx))
	require.Equal(t, address, one.Address())
	require.NoError(t, get("/v1/kv/here"))

	two, err := StartConsul(ctx, t.TempDir(), ConsulOptions{Datacenter: "dc2"})
	require.NoError(t, err)
	defer func() { require.NoError(t, two.Kill()) }()
	require.NoError(t, one.JoinWAN(ctx, two))
	require.NoError(t, get("/v1/status/leader?dc=dc2"))

	require.NoError(t, one.Stop(ctx))
	require.NoError(t, one.Stop(ctx), "stopping twice")
	gone(t, address)
}

func TestConsulBinary(t *testing.T) {
	var progress bytes.Buffer
	path, err := ConsulBinary(t.Context(), &progress)
	require.NoError(t, err)
	t.Log(progress.String())
	progress.Reset()
	again, err := ConsulBinary(t.Context(), &progress)
	require.NoError(t, err)
	require.Equal(t, path, again)
	require.Empty(t, progress.String(), "built once")

	dir := t.TempDir()
	program := filepath.Join(dir, "consul")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	path, err = ConsulBinary(t.Context(), os.Stderr)
	require.NoError(t, err)
	require.Equal(t, program, path, "the one on PATH is used as it is")
}

// TestPinnedProgramBuildFails: a build that fails leaves nothing that looks like a program, and says why.
func TestPinnedProgramBuildFails(t *testing.T) {
	p := pinnedConsul()
	p.module, p.program, p.version = t.TempDir(), filepath.Join(t.TempDir(), "tools", "consul"), "0"
	var progress bytes.Buffer
	err := p.build(t.Context(), &progress)
	require.ErrorContains(t, err, "go.mod")
	require.Contains(t, progress.String(), "Building Consul")
	require.NoFileExists(t, p.program)
	require.NoFileExists(t, p.program+".unfinished")
}
