package bootstrap

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// TestBootstrapInDocker is the same at the location local: raised, killed, raised again, updated and destroyed, with a Docker of its own.
func TestBootstrapInDocker(t *testing.T) {
	if os.Getenv("VIVARIUM_BOOTSTRAP") != "local" {
		t.Skip("VIVARIUM_BOOTSTRAP=local (make test-bootstrap) packs images, and runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, servers.InstallDocker(ctx, os.Stderr))
	d := servers.SharedDocker(t)
	dir, err := os.MkdirTemp("", "vivarium-bootstrap-test-")
	require.NoError(t, err)
	p, err := New(ctx, dir, build(t, "CGO_ENABLED=0"), os.Stderr)
	require.NoError(t, err)
	require.NoError(t, p.pack(ctx, d))
	p.Location, p.Docker = "local", d.Host()
	t.Cleanup(func() { p.end(t) })

	text, _ := killed(t, p.Bootstrap(ctx), "complete   vault_cluster.vault")
	again, err := killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, "%s\n%s", text, again)
	require.Contains(t, again, "no change")
	p.shows(t, ctx)
	p.keepsSecrets(t, text+again)

	out, err := p.Command(ctx, "env", "update", "meta", "--param", "log_level=debug", "--wait", "--data-dir", p.Data()).CombinedOutput()
	require.NoError(t, err, "the service and its runner replace themselves: %s", out)
	p.shows(t, ctx)

	require.NoError(t, d.Restart(ctx))
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, "after a restart of the engine: %s", text)
	p.shows(t, ctx)

	out, err = p.Command(ctx, "env", "destroy", Further, "--yes", "--wait", "--data-dir", p.Data()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err = killed(t, p.Destroy(ctx), "")
	require.NoError(t, err, text)
	require.NoDirExists(t, p.Work())
}
