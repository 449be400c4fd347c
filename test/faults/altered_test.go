package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sideAltered alters bits of what the primary sends to its secondary, while environments are made, and kills the primary meanwhile: nothing
// that was altered is written, all is asked for again, and the secondary takes over with a true beginning of the journal.
func sideAltered(t *testing.T, r *row) {
	takeOvers(t, r, either(40*time.Minute, 5*time.Minute), either(10, 1), (*takeovers).altered)
}

func (s *takeovers) altered(t *testing.T, ctx context.Context, r *row, random choice) {
	p := newPair(t, ctx, "VIVARIUM_CLUSTER_LEASE=5s")
	prefix := fmt.Sprint("a", r.rounds)
	p.wires[0].altering.Store(true)
	require.NoError(t, p.begin(ctx, prefix, either(20, 2)))
	require.NoError(t, until(ctx, "nobody notices", func() bool { return strings.Contains(p.west.log(), "altered on the way") }))
	pause(ctx, random.between(0, either(5*time.Second, 300*time.Millisecond)))
	shown := p.stands(p.west).seqs()
	p.east.kill()
	r.kills++
	s.takeOver(t, ctx, p, prefix)

	before, after := p.heads(t, p.east, 1), p.heads(t, p.west, 1)
	requireShown(t, shown, after)
	unsent := unsentOf(before, after)
	s.entries += unsent
	p.wires[0].altering.Store(false)
	require.NoError(t, p.east.start())
	p.rejoined(t, ctx, unsent) // by its checksums, what west had was what east had written
	p.conclude(r)
}
