package bootstrap

import (
	"context"
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
	p.lives(t, ctx, func() {
		require.NoError(t, d.Kill())
		require.NoError(t, d.Start(ctx))
	})
}
