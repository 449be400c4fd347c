package faults

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dualLease is that of the rounds in which both sides of a dual live.
const dualLease = 6 * time.Second

// dualCut cuts everything between two sides that live on, brokers, Consuls, servers and runners: the old one has to stop within its lease,
// though nobody can reach it, while the other one takes over.
func dualCut(t *testing.T, r *row) {
	takeOvers(t, r, 30*time.Minute, either(10, 0), (*takeovers).dualCut) // short, there is side-cut
}

func (s *takeovers) dualCut(t *testing.T, ctx context.Context, r *row, random choice) {
	w := &wan{}
	d := newDualOver(t, ctx, w, "VIVARIUM_CLUSTER_LEASE="+dualLease.String())
	east, west := d.halves[0], d.halves[1]
	prefix := fmt.Sprint("c", r.rounds)
	require.NoError(t, d.begin(ctx, prefix, either(20, 4)))
	pause(ctx, random.between(0, either(2*time.Second, 300*time.Millisecond)))
	shown := d.stands(d.west).seqs()
	w.cut()
	cut := time.Now()
	s.takeOver(t, ctx, d.pair, prefix)
	d.acts(t, ctx, west, 2)

	for _, p := range east.servers {
		require.Contains(t, p.log(), "this side may not act any more")
	}
	require.LessOrEqual(t, d.lastWritten(t, east.name), cut.Add(dualLease), "the old side has decided on something after its lease")
	before, after := d.written(t, east.name, 1), d.written(t, west.name, 1)
	requireShown(t, shown, after)
	s.entries += unsentOf(before, after)
	w.open()
	require.NoError(t, east.consul.JoinWAN(ctx, west.consul))
	d.returns(t, ctx, east)
	d.conclude(r)
}

// lastWritten is when a side has written its last entry.
func (d *dual) lastWritten(t *testing.T, side string) time.Time {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.dir, side+".db")+"?_pragma=busy_timeout(20000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var at int64
	require.NoError(t, db.QueryRow("SELECT max(time) FROM entries").Scan(&at))
	return time.Unix(0, at)
}
