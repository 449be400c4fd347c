package servers

import (
	"context"
	"os"
	"testing"
	"time"
)

var sharedDocker = sharedServer[*Docker]{title: "Docker", prefix: "vivarium-docker-", patience: 5 * time.Minute,
	start: func(ctx context.Context, dir string) (*Docker, error) {
		if err := InstallDocker(ctx, os.Stderr); err != nil {
			return nil, err
		}
		return StartDocker(ctx, dir)
	}}

// SharedDocker is the one engine of this test process, started (and, by root on Debian, installed) when it is first asked for.
// A package that uses it has its TestMain call StopSharedDocker when the tests are over. A test that stops it starts it again.
func SharedDocker(t testing.TB) *Docker {
	t.Helper()
	return sharedDocker.get(t)
}

// StopSharedDocker ends the engine of SharedDocker with all its containers and removes its data; it does no harm when there
// is none.
func StopSharedDocker() {
	if sharedDocker.up {
		_ = sharedDocker.server.Discard()
	}
	sharedDocker.stop()
}
