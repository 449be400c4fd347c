package replication_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// partly is a journal of which some partitions have what was done later; whichever those are, what they have is the same.
func partly(t *testing.T, later ...int) *side {
	t.Helper()
	p := newSide(t, fresh(t))
	p.live(0, 12)
	now := p.now
	for _, n := range later {
		p.now = now.Add(time.Hour)
		for i, made := 100, 0; made < 3; i++ {
			if name := fmt.Sprint("later", i); partitionOf(name) == n {
				p.create(name)
				p.finish(name, "a")
				made++
			}
		}
	}
	p.commitAll()
	return p
}

// lender is a secondary that lends while it is said to.
func lender(t *testing.T, s store.Store) (x *source, lends *atomic.Bool) {
	t.Helper()
	lends = &atomic.Bool{}
	x = serve(t, s, func(o *replication.SourceOptions) { o.Lends = func(context.Context) bool { return lends.Load() } })
	id := *x.id.Load()
	id.Role = replication.Secondary
	x.id.Store(&id)
	return x, lends
}

func headsOf(t *testing.T, s store.Store) (all []uint64) {
	t.Helper()
	for n := range partitions {
		h, err := s.Head(t.Context(), n)
		require.NoError(t, err)
		all = append(all, h.Seq)
	}
	return all
}

// TestWhatAnotherSecondaryHas: the primary is lost, and each of two secondaries lacks what the other one has.
func TestWhatAnotherSecondaryHas(t *testing.T) {
	t.Parallel()
	here, there, whole := partly(t, 0), partly(t, 1, 2), partly(t, 0, 1, 2)
	f := follow(t, here.store, "http://127.0.0.1:1")
	x, lends := lender(t, there.store)
	before := headsOf(t, here.store)
	err := f.CatchUp(t.Context(), x.address(), headsOf(t, there.store))
	require.ErrorContains(t, err, "is no primary", "who has not promised anything lends nothing")
	require.Equal(t, before, headsOf(t, here.store))
	require.Error(t, f.CatchUp(t.Context(), x.address(), []uint64{1}), "of another number of partitions")

	lends.Store(true)
	require.NoError(t, f.CatchUp(t.Context(), x.address(), headsOf(t, there.store)))
	same(t, whole.store, here.store)
	require.NoError(t, f.CatchUp(t.Context(), x.address(), headsOf(t, there.store)), "there is nothing more")
	reaches(t, f, func(s replication.Status) bool { return s.State == replication.Connecting && s.Primary == nil })
}

// TestNothingIsTakenFromAJournalThatHasParted.
func TestNothingIsTakenFromAJournalThatHasParted(t *testing.T) {
	t.Parallel()
	here, there := partly(t, 0), newSide(t, fresh(t))
	there.now = there.now.Add(time.Minute)
	there.live(0, 20)
	x, lends := lender(t, there.store)
	lends.Store(true)
	f := follow(t, here.store, "http://127.0.0.1:1")
	before := headsOf(t, here.store)
	require.Error(t, f.CatchUp(t.Context(), x.address(), headsOf(t, there.store)))
	require.Equal(t, before, headsOf(t, here.store))
}

// TestThePrimaryIsFollowedAgain once what another secondary has is here, or can't be had.
func TestThePrimaryIsFollowedAgain(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	p.live(0, 12)
	to := fresh(t)
	f := follow(t, to, serve(t, p.store).address())
	reaches(t, f, live)
	there := partly(t, 1)
	x, lends := lender(t, there.store)
	lends.Store(true)
	require.NoError(t, f.CatchUp(t.Context(), x.address(), headsOf(t, p.store)), "it has that already")
	require.Error(t, f.CatchUp(t.Context(), "http://127.0.0.1:1", headsOf(t, there.store)))
	p.live(12, 14)
	same(t, p.store, to)
	reaches(t, f, live)
}
