package servers

import (
	"bytes"
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVault(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	dir := t.TempDir()
	v, err := StartVault(ctx, dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Kill()) }()
	require.Regexp(t, `^\d+\.\d+\.\d+`, v.Version())
	require.NoError(t, v.Enable(ctx, "mounts", "kv", "secret"))
	require.NoError(t, v.Enable(ctx, "mounts", "pki", "pki"))
	require.NoError(t, v.Enable(ctx, "auth", "approle", "approle"))
	require.NoError(t, v.call(ctx, http.MethodPost, "secret/data/a", map[string]any{"data": map[string]string{"k": "v"}}, nil))

	require.NoError(t, v.Seal(ctx))
	require.ErrorContains(t, v.call(ctx, http.MethodGet, "secret/data/a", nil, nil), "503")
	require.NoError(t, v.Unseal(ctx))
	require.NoError(t, v.call(ctx, http.MethodGet, "secret/data/a", nil, nil))

	require.NoError(t, v.Restart(ctx))
	require.ErrorContains(t, v.call(ctx, http.MethodGet, "secret/data/a", nil, nil), "503", "sealed again")
	require.NoError(t, v.Unseal(ctx))
	require.NoError(t, v.call(ctx, http.MethodGet, "secret/data/a", nil, nil), "the data outlived the restart")

	require.NoError(t, v.Stop(ctx))
	require.NoError(t, v.Stop(ctx), "stopping twice")
	gone(t, strings.TrimPrefix(v.Address(), "http://"))
	again, err := StartVault(ctx, dir)
	require.NoError(t, err, "the folder has all that is needed to use it again")
	defer func() { require.NoError(t, again.Kill()) }()
	require.Equal(t, v.RootToken(), again.RootToken())
	require.NoError(t, again.call(ctx, http.MethodGet, "secret/data/a", nil, nil))
}

func TestVaultBinary(t *testing.T) {
	var progress bytes.Buffer
	path, err := VaultBinary(t.Context(), &progress)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), path, "version").Output()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(out), "Vault v"), "%s", out)
	progress.Reset()
	again, err := VaultBinary(t.Context(), &progress)
	require.NoError(t, err)
	require.Equal(t, path, again)
	require.Empty(t, progress.String(), "built once")
}
