package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sidesRaced kills the primary's side, and has both of its secondaries take over at the same moment.
func sidesRaced(t *testing.T, r *row) {
	takeOvers(t, r, either(40*time.Minute, 5*time.Minute), either(10, 1), (*takeovers).raced)
}

// newTrio is newPair with a second secondary, and nothing between the sides.
func newTrio(t *testing.T, ctx context.Context, more ...string) (p *pair, north *process) {
	t.Helper()
	p = &pair{cluster: emptyCluster(t, "vivarium-sides-"), env: sideEnvironment(more...)}
	east, west, up := freeAddress(t), freeAddress(t), freeAddress(t)
	p.east = p.side("east", east, west+",http://"+up, "--primary")
	p.west = p.side("west", west, east+",http://"+up)
	north = p.side("north", up, east+",http://"+west)
	p.servers = []*process{p.east, p.west, north}
	t.Cleanup(p.end)
	p.startAll(t, ctx)
	for _, s := range p.servers[1:] {
		require.NoError(t, until(ctx, s.name+" was not told of the other secondary", func() bool {
			known, _ := os.ReadFile(filepath.Join(s.dir, "secondaries.json"))
			return strings.Count(string(known), `"api":"http`) == 2
		}))
	}
	return p, north
}

func (s *takeovers) raced(t *testing.T, ctx context.Context, r *row, random choice) {
	p, north := newTrio(t, ctx, "VIVARIUM_CLUSTER_LEASE=5s", "VIVARIUM_CLUSTER_MARGIN=1s")
	prefix := fmt.Sprint("r", r.rounds)
	require.NoError(t, p.begin(ctx, prefix, either(20, 2)))
	pause(ctx, random.between(0, either(2*time.Second, 300*time.Millisecond)))
	shown := []map[int]uint64{p.stands(p.west).seqs(), p.stands(north).seqs()}
	p.east.kill()
	r.kills++
	begun := time.Now()
	loser := p.race(t, ctx, north)
	took, err := p.goOn(ctx, prefix+"-after", begun)
	require.NoError(t, err, "%s", p.west.tail())
	s.settle(t, ctx, p, took)

	before, after := p.heads(t, p.east, 1), p.heads(t, p.west, 1)
	for _, of := range shown {
		requireShown(t, of, after)
	}
	unsent := unsentOf(before, after)
	s.entries += unsent
	require.NoError(t, until(ctx, "who has lost does not follow who has won", func() bool { return p.same(loser) }), "%s", loser.tail())
	require.Zero(t, p.setAside(t, loser), "who has won had all that the other one had")
	if long { // short, there is side-killed
		require.NoError(t, p.east.start())
		p.rejoined(t, ctx, unsent)
	}
	p.conclude(r)
}

// race promotes both secondaries at once: from then on, west is the one that has won.
func (p *pair) race(t *testing.T, ctx context.Context, north *process) (loser *process) {
	t.Helper()
	type result struct {
		side *process
		err  error
	}
	results := make(chan result, 2)
	for _, side := range []*process{p.west, north} {
		go func() {
			_, err := p.run(ctx, side, "cluster", "promote", "--token", p.token, "--force")
			results <- result{side, err}
		}()
	}
	won, lost := <-results, <-results
	if won.err != nil {
		won, lost = lost, won
	}
	require.NoError(t, won.err, "nobody has won, since also: %v", lost.err)
	require.Error(t, lost.err, "both have won")
	require.Contains(t, lost.err.Error(), called(won.side), "who has won is named")
	p.west, p.servers = won.side, []*process{won.side, lost.side, p.east}
	return lost.side
}

// called is how the others know a secondary that was given no name.
func called(side *process) string {
	sum := sha256.Sum256([]byte(side.dir))
	return "server-" + hex.EncodeToString(sum[:4])
}
