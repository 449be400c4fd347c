package faults

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sideAltered alters bits of what the primary sends to its secondary, while environments are made: nothing of that is written, all is
// asked for again, and in the end both sides have the same.
func sideAltered(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(20*time.Minute, 5*time.Minute))
	defer cancel()
	r.rounds++
	p := newPair(t, ctx, "VIVARIUM_CLUSTER_LEASE=20s")
	p.wires[0].altering.Store(true)
	require.NoError(t, p.begin(ctx, "a", either(20, 2)))
	require.NoError(t, until(ctx, "nobody notices", func() bool { return strings.Contains(p.west.log(), "altered on the way") }))
	pause(ctx, either(time.Minute, time.Second))
	p.wires[0].altering.Store(false)
	require.NoError(t, until(ctx, "not everything is deployed", p.allDeployed), "%s", p.east.tail())
	require.NoError(t, until(ctx, "the secondary does not follow", func() bool { return p.stands(p.west).live() }), "%s", p.west.tail())
	require.Equal(t, p.heads(t, p.east, 1), p.heads(t, p.west, 1))
	p.conclude(r)
}
