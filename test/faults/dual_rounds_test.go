package faults

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dualKilled kills all of the primary's side at a random moment, servers, runners, broker and Consul, and in half of the long rounds the
// other side's Consul, too; the other side takes over.
func dualKilled(t *testing.T, r *row) {
	takeOvers(t, r, either(50*time.Minute, 8*time.Minute), either(20, 1), (*takeovers).dual)
}

func (s *takeovers) dual(t *testing.T, ctx context.Context, r *row, random choice) {
	d := newDual(t, ctx, "VIVARIUM_CLUSTER_LEASE=6s")
	prefix := fmt.Sprint("d", r.rounds)
	require.NoError(t, d.begin(ctx, prefix, either(20, 4)))
	pause(ctx, random.between(0, either(2*time.Second, 300*time.Millisecond)))
	shown := d.stands(d.west).seqs()
	gone := long && random.IntN(2) == 0 // the other side's Consul, too: nobody can be told of the epoch
	if gone {
		require.NoError(t, d.halves[1].consul.Kill())
		r.kills++
	}
	r.kills += d.kill(d.halves[0])
	s.takeOver(t, ctx, d.pair, prefix)
	d.acts(t, ctx, d.halves[1], 2)

	before, after := d.written(t, "east", 1), d.written(t, "west", 1)
	requireShown(t, shown, after)
	s.entries += unsentOf(before, after)
	if gone {
		require.NoError(t, d.halves[1].consul.Start(ctx))
	}
	d.startAgain(ctx, d.halves[0], d.halves[1])
	d.returns(t, ctx, d.halves[0])
	d.conclude(r)
}

// written is how far each partition's journal of a side goes that was written under an epoch.
func (d *dual) written(t *testing.T, side string, epoch uint64) map[int]uint64 {
	return headsOf(t, filepath.Join(d.dir, side+".db"), epoch)
}

// dualSwitched changes the roles of two sides and back, while environments are made and commands sent to the side that steps down.
func dualSwitched(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(30*time.Minute, 8*time.Minute))
	defer cancel()
	d := newDual(t, ctx, "VIVARIUM_CLUSTER_LEASE=20s")
	r.repeat(t, either(10, 1), func(t *testing.T) {
		d.switchOver(t, ctx, uint64(r.rounds)+1, d.halves[(r.rounds-1)%2], d.halves[r.rounds%2])
	})
	if !t.Failed() {
		d.conclude(r)
	}
}

func (d *dual) switchOver(t *testing.T, ctx context.Context, epoch uint64, from, to *half) {
	d.east, d.west = from.servers[0], to.servers[0]
	prefix := fmt.Sprint("s", epoch)
	require.NoError(t, d.begin(ctx, prefix, either(20, 3)))
	over := make(chan error, 1)
	go func() {
		_, err := d.run(ctx, to.servers[0], "cluster", "switchover")
		over <- err
	}()
	// These are sent to the broker of the side that steps down, and nowhere else, until they are answered.
	answers := make(chan error, 3)
	for i := range 3 {
		name := fmt.Sprint(prefix, "-while", i)
		d.note(name, "matrix", "deployed")
		d.count.Add(1)
		go func() {
			a, err := command(ctx, from.broker.URL(), name+"/create", "environment.create", name, `{"templates":["matrix"]}`)
			if err == nil && !a.Accepted && a.Error.Code != "not-primary" {
				err = fmt.Errorf("%s was not accepted: %+v", name, a.Error)
			}
			if err == nil && !a.Accepted { // all that was sent before has been handed over, and this came late
				a, err = command(ctx, to.broker.URL(), name+"/create", "environment.create", name, `{"templates":["matrix"]}`)
			}
			answers <- err
		}()
		pause(ctx, 300*time.Millisecond)
	}
	require.NoError(t, <-over, "%s", from.servers[0].tail())
	for range 3 {
		require.NoError(t, <-answers)
	}
	d.acts(t, ctx, to, epoch)
	_, err := d.settleAll(ctx)
	require.NoError(t, err)
	d.returns(t, ctx, from)
	before, after := d.written(t, from.name, epoch-1), d.written(t, to.name, epoch-1)
	require.Equal(t, before, after, "nothing is lost")
}
