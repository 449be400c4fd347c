package servers

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTraefik has no Docker daemon: Traefik answers all the same, and has no route.
func TestTraefik(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	s, err := StartTraefik(ctx, t.TempDir(), TraefikOptions{Docker: "unix://" + filepath.Join(t.TempDir(), "docker.sock")})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Kill()) }()
	require.Equal(t, pinnedTraefik().version, s.Version(), "the pinned version, and no development build")
	status := func(url string) int {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		answer, err := client.Get(url)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	address := s.Address()
	require.Equal(t, http.StatusNotFound, status("http://"+s.Address()))
	require.Equal(t, http.StatusNotFound, status("https://"+s.SecureAddress()))

	require.NoError(t, s.Kill())
	gone(t, address)
	require.NoError(t, s.Start(ctx))
	require.NoError(t, s.Start(ctx), "it runs already")
	require.Equal(t, address, s.Address())
	require.True(t, answers(address))
	require.NoError(t, s.Stop(ctx))
	require.NoError(t, s.Stop(ctx), "stopping twice")
	gone(t, address, s.SecureAddress())

	taken, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	require.ErrorContains(t, s.Start(ctx), "address already in use", "one that can't start says why")
}

func TestTraefikBinary(t *testing.T) {
	var progress bytes.Buffer
	path, err := TraefikBinary(t.Context(), &progress)
	require.NoError(t, err)
	t.Log(progress.String())
	dir := t.TempDir()
	program := filepath.Join(dir, "traefik")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	again, err := TraefikBinary(t.Context(), os.Stderr)
	require.NoError(t, err)
	require.Equal(t, program, again, "the one on PATH is used as it is")
	require.NotEqual(t, program, path)
}
