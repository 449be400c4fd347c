package bootstrap

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// TestBootstrapInDocker is the same at the location local, with a Docker of its own.
func TestBootstrapInDocker(t *testing.T) {
	if !asked("local") {
		t.Skip("VIVARIUM_BOOTSTRAP=local (make test-bootstrap) packs images, and runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := servers.SharedDocker(t)
	p := place(t, ctx)
	require.NoError(t, p.InDocker(ctx, d))
	p.makesItsImage(t, ctx)
	p.lives(t, ctx, func() {
		require.NoError(t, d.Kill())
		require.NoError(t, d.Start(ctx))
	})
}

// makesItsImage: the engine has none of the service, which a plan and a run as somebody without rights say, and change nothing.
func (p *Place) makesItsImage(t *testing.T, ctx context.Context) {
	t.Helper()
	out, err := p.Command(ctx, "image").Output()
	require.NoError(t, err)
	name := strings.TrimSpace(string(out))
	out, err = p.Bootstrap(ctx, "--plan").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), name+" is made of this program")
	require.NoError(t, os.Chmod(p.Dir, 0o711)) //nolint:gosec // somebody else runs the program
	weak := p.Command(ctx, "image", "--docker")
	weak.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err = weak.CombinedOutput()
	require.Error(t, err, "%s", out)
	require.Contains(t, string(out), "this user may not use Docker at "+p.engine.Host())
	left, err := p.Left(ctx)
	require.NoError(t, err)
	require.Empty(t, left, "nothing was changed")
}

// upgrades is a run of a newer program: it says that the service would have another image, and with --update brings that.
func (p *Place) upgrades(t *testing.T, ctx context.Context) {
	t.Helper()
	text, err := os.ReadFile(p.Program)
	require.NoError(t, err)
	p.Program = filepath.Join(p.Dir, "newer", "vivarium")
	require.NoError(t, os.Mkdir(filepath.Dir(p.Program), 0o711))
	require.NoError(t, os.WriteFile(p.Program, append(text, "newer"...), 0o755)) //nolint:gosec // a program
	out, err := p.Command(ctx, "image").Output()
	require.NoError(t, err)
	name := strings.TrimSpace(string(out))

	said, err := killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, said)
	require.Contains(t, said, "this run would have another one")
	require.NotContains(t, said, "Image of the service", "nothing is put into Docker for it")
	said, err = killed(t, p.Bootstrap(ctx, "--update"), "")
	require.NoError(t, err, said)
	require.Contains(t, said, name+" is made of this program")
	require.Contains(t, said, "complete   container.server")
	require.Contains(t, said, "complete   container.runner")
	said, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, said)
	require.Contains(t, said, name+" is in the Docker at ")
	require.Contains(t, said, "no change")
	p.shows(t, ctx)
}
