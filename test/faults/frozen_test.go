package faults

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // to hold the store's lock
)

// frozen is longer than a lease (20 s).
const frozen = 25 * time.Second

// frozenServer stops a server between a decision and its write for longer than its leases, and lets it go on: it does
// not know that time has passed. What it still wants to write is refused, and it recovers by itself.
func frozenServer(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(15*time.Minute, 6*time.Minute))
	defer cancel()
	random := newChoice(t)
	c := newCluster(t, ctx, clusterOptions{servers: 2, runners: 2})
	refused := 0
	// Whether a server is frozen with something to write is chance: a round that shows nothing is followed by another.
	for r.rounds < either(4, 1) || (refused == 0 && r.rounds < 4) {
		r.rounds++
		over := make(chan error, 1)
		prefix := fmt.Sprint("z", r.rounds)
		go func() { over <- c.wave(ctx, prefix, 20, true, mostlyQuick) }()
		pause(ctx, random.between(500*time.Millisecond, 1500*time.Millisecond))
		sleeper, other := c.owner()
		before := strings.Count(sleeper.log(), refusal)
		require.NoError(t, c.freezeBeforeItsWrite(ctx, sleeper))
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
	require.Positive(t, refused, "the frozen server has written nothing late, so nothing was shown")
}

// mostlyQuick leaves the runners room: something is always waiting to be written.
func mostlyQuick(i int) string {
	if i%10 == 0 {
		return "slow"
	}
	return "matrix"
}

// refusal is what a server prints whose write came too late.
const refusal = "another server owns the partition"

// owner is the server with more partitions, and the other one.
func (c *cluster) owner() (owner, other *process) {
	count := func(p *process) int {
		var info struct{ Partitions []int }
		_ = c.getFrom(p, "self/info", &info)
		return len(info.Partitions)
	}
	if count(c.servers[0]) >= count(c.servers[1]) {
		return c.servers[0], c.servers[1]
	}
	return c.servers[1], c.servers[0]
}

// freezeBeforeItsWrite holds the store's lock, so that decisions pile up in front of it, and stops the server before it
// lets go. When the server goes on, it still wants to write them, and another server has decided meanwhile.
func (c *cluster) freezeBeforeItsWrite(ctx context.Context, p *process) error {
	db, err := sql.Open("sqlite", "file:"+c.store+"?_txlock=immediate&_pragma=busy_timeout(20000)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	pause(ctx, 500*time.Millisecond)
	return p.freeze()
}
