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

// sidesKilled kills the primary's side at a random moment, has the secondary take over, and starts the old side again.
func sidesKilled(t *testing.T, r *row) {
	takeOvers(t, r, either(40*time.Minute, 8*time.Minute), either(20, 2), (*takeovers).killed)
}

// takeOvers has one side lose the other, round after round, all of them within a time.
func takeOvers(t *testing.T, r *row, within time.Duration, rounds int, round func(*takeovers, *testing.T, context.Context, *row, choice)) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	random := newChoice(t)
	var sum takeovers
	r.repeat(t, rounds, func(t *testing.T) { round(&sum, t, ctx, r, random) })
	r.note = sum.String()
}

// repeat does rounds, each as a test of its own, until one has failed.
func (r *row) repeat(t *testing.T, rounds int, round func(*testing.T)) {
	for r.rounds < rounds && !t.Failed() {
		r.rounds++
		t.Run(fmt.Sprint(r.rounds), round)
	}
}

// takeovers are what several of them came to.
type takeovers struct {
	slowest time.Duration // from the order to the first command taken
	settled int
	entries uint64 // that the old side had not sent
}

func (s *takeovers) String() string {
	return fmt.Sprintf("%d entries were not sent, %d steps settled by the ledger; from promote to the first command %s at most",
		s.entries, s.settled, s.slowest.Round(10*time.Millisecond))
}

func (s *takeovers) killed(t *testing.T, ctx context.Context, r *row, random choice) {
	p := newPair(t, ctx, "VIVARIUM_CLUSTER_LEASE=5s")
	prefix := fmt.Sprint("p", r.rounds)
	require.NoError(t, p.begin(ctx, prefix, either(20, 4)))
	pause(ctx, random.between(0, either(2*time.Second, 300*time.Millisecond)))
	shown := p.stands(p.west).seqs()
	p.east.kill()
	r.kills++
	s.takeOver(t, ctx, p, prefix)

	before, after := p.heads(t, p.east, 1), p.heads(t, p.west, 1)
	requireShown(t, shown, after)
	unsent := unsentOf(before, after)
	s.entries += unsent
	require.NoError(t, p.east.start())
	pause(ctx, random.between(0, either(2*time.Second, 300*time.Millisecond)))
	p.east.kill() // it may be setting aside what it alone has
	r.kills++
	require.NoError(t, p.east.start())
	p.rejoined(t, ctx, unsent)
	p.conclude(r)
}

// requireShown: what a secondary has shown of the journals is there when it has taken over.
func requireShown(t *testing.T, shown, after map[int]uint64) {
	t.Helper()
	for partition, seq := range shown {
		require.GreaterOrEqual(t, after[partition], seq, "what the secondary showed of partition %d is there", partition)
	}
}

// unsentOf counts the entries of a lost side that the other one does not have.
func unsentOf(before, after map[int]uint64) (entries uint64) {
	for partition, seq := range before {
		entries += seq - min(seq, after[partition])
	}
	return entries
}

// returned waits until the old side follows the new one, from what both have.
func (p *pair) returned(t *testing.T, ctx context.Context) {
	t.Helper()
	require.NoError(t, until(ctx, "the old side does not come back as a secondary", func() bool { return p.stands(p.east).live() }), "%s", p.east.tail())
}

// sidesCut cuts the wire between two sides that are both alive: the old one has to stop within its lease, and to have done
// nothing that the other one does not know of.
func sidesCut(t *testing.T, r *row) {
	takeOvers(t, r, either(20*time.Minute, 8*time.Minute), either(10, 1), (*takeovers).cut)
}

func (s *takeovers) cut(t *testing.T, ctx context.Context, r *row, random choice) {
	p := newPair(t, ctx, "VIVARIUM_CLUSTER_LEASE=5s")
	prefix := fmt.Sprint("w", r.rounds)
	require.NoError(t, p.begin(ctx, prefix, either(20, 4)))
	pause(ctx, random.between(0, either(time.Second, 200*time.Millisecond)))
	for _, w := range p.wires {
		w.cut()
	}
	s.takeOver(t, ctx, p, prefix)
	require.Contains(t, p.east.log(), "this side may not act any more")
	before, after := p.heads(t, p.east, 1), p.heads(t, p.west, 1)
	unsent := unsentOf(before, after)
	s.entries += unsent
	for _, w := range p.wires {
		w.open()
	}
	p.rejoined(t, ctx, unsent)
	p.conclude(r)
}

// takeOver promotes the secondary, and waits until everything is deployed.
func (s *takeovers) takeOver(t *testing.T, ctx context.Context, p *pair, prefix string) {
	t.Helper()
	took, err := p.promote(ctx, prefix+"-after")
	require.NoError(t, err, "%s", p.west.tail())
	s.settle(t, ctx, p, took)
}

// settle waits until everything is deployed at the side that has taken over.
func (s *takeovers) settle(t *testing.T, ctx context.Context, p *pair, took time.Duration) {
	t.Helper()
	settled, err := p.settleAll(ctx)
	require.NoError(t, err, "%s", p.west.tail())
	s.settled += settled
	s.slowest = max(s.slowest, took)
}

// conclude adds what the ledger says of a round.
func (p *pair) conclude(r *row) {
	p.t.Helper()
	one := row{}
	p.verify(&one, proof{})
	twice := p.ends()
	if len(twice) > 0 {
		p.t.Errorf("done twice: %v", twice)
	}
	r.operations, r.steps = r.operations+one.operations, r.steps+one.steps
	r.lost, r.doubled, r.odds = r.lost+one.lost, r.doubled+max(one.doubled, len(twice)), r.odds+one.odds
}

// heads are how far each partition's journal goes that was written under an epoch.
func (p *pair) heads(t *testing.T, side *process, epoch uint64) map[int]uint64 {
	t.Helper()
	return headsOf(t, filepath.Join(side.dir, "store.db"), epoch)
}

func headsOf(t *testing.T, store string, epoch uint64) map[int]uint64 {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+store+"?_pragma=busy_timeout(20000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.Query("SELECT id >> 48, max(seq) FROM entries WHERE epoch = ? GROUP BY 1", epoch)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	all := map[int]uint64{}
	for rows.Next() {
		var partition int
		var seq uint64
		require.NoError(t, rows.Scan(&partition, &seq))
		all[partition] = seq
	}
	require.NoError(t, rows.Err())
	return all
}
