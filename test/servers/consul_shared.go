package servers

import (
	"context"
	"testing"
	"time"
)

var sharedConsul = sharedServer[*Consul]{title: "Consul", prefix: "vivarium-consul-", patience: 25 * time.Minute,
	start: func(ctx context.Context, dir string) (*Consul, error) { return StartConsul(ctx, dir) }}

// SharedConsul is the one Consul of this test process, started (and built, where it never was) when it is first asked for.
// A package that uses it has its TestMain call StopSharedConsul when the tests are over. A test that stops it starts it
// again.
func SharedConsul(t testing.TB) *Consul {
	t.Helper()
	return sharedConsul.get(t)
}

// StopSharedConsul ends the Consul of SharedConsul and removes its data; it does no harm when there is none.
func StopSharedConsul() { sharedConsul.stop() }
