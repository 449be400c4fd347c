package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// frozen is longer than a lease (20 s).
const frozen = 25 * time.Second

// frozenServer stops a server in the middle of its work for longer than its leases, and lets it go on: it does not know
// that time has passed. What it still wants to write is refused, and it recovers by itself.
func frozenServer(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(15*time.Minute, 3*time.Minute))
	defer cancel()
	random := newChoice(t)
	c := newCluster(t, ctx, clusterOptions{servers: 2, runners: 2})
	refused := 0
	for r.rounds < either(4, 1) {
		sleeper := c.servers[r.rounds%2]
		other := c.servers[1-r.rounds%2]
		r.rounds++
		over := make(chan error, 1)
		prefix := fmt.Sprint("z", r.rounds)
		go func() { over <- c.wave(ctx, prefix, either(20, 12), true, slowAndMatrix) }()
		require.NoError(t, c.untilRunning(ctx, prefix+"-0", "slow.action.long0"))
		pause(ctx, random.between(0, 300*time.Millisecond))
		before := strings.Count(sleeper.log(), refusal)
		require.NoError(t, sleeper.freeze())
		pause(ctx, frozen)
		require.NoError(t, sleeper.thaw())
		require.NoError(t, <-over)
		require.NoError(t, until(ctx, "it does not become ready", func() bool { return c.ready(sleeper) }))
		refused += strings.Count(sleeper.log(), refusal) - before
		// Alone it has to do all that the other one did.
		other.kill()
		r.kills++
		require.NoError(t, c.wave(ctx, prefix+"-alone", 6, true, matrix))
		require.NoError(t, other.start())
		require.NoError(t, until(ctx, "the other one does not come back", func() bool { return c.ready(other) }))
	}
	r.note = fmt.Sprintf("%d stale writes refused", refused)
	c.verify(r, proof{overlap: time.Second})
}

// refusal is what a server prints whose write came too late.
const refusal = "another server owns the partition"
