package replication_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// takenOver are two sides: the old primary, whose last entries the one that took over under the next epoch never had. Both went on.
func takenOver(t *testing.T, path string, checkpoint int) (old, now *side) {
	t.Helper()
	old = newSide(t, openStore(t, path))
	old.every(checkpoint)
	old.live(0, 8)
	to := fresh(t)
	x := serve(t, old.store)
	f := follow(t, to, x.address())
	same(t, old.store, to)
	require.NoError(t, f.Stop(t.Context()))

	old.finish("n3", "b") // its state is another one now
	old.destroy("n1")
	old.create("lost")
	old.finish("lost", "a")
	old.live(8, 14)
	require.NoError(t, old.store.Relayed(t.Context(), partitionOf("lost"), old.owned[partitionOf("lost")].Seq))

	now = newSide(t, to)
	now.epoch, now.kept = 2, old.kept
	now.now = now.now.Add(time.Hour)
	now.load()
	require.NoError(t, to.Relayed(t.Context(), partitionOf("lost"), now.owned[partitionOf("lost")].Seq))
	now.update("n1", nil, node("a"), node("b", "a"), node("c", "a", "b"))
	now.finish("n1", "a")
	now.create("lost") // of the same name, and another one
	now.live(20, 22)
	return old, now
}

func (s *side) every(checkpoint int) {
	for _, p := range s.owned {
		p.CheckpointEvery = checkpoint
	}
}

func serveNew(t *testing.T, s store.Store) *source {
	x := serve(t, s)
	id := *x.id.Load()
	id.Epoch = 2
	x.id.Store(&id)
	return x
}

// entriesOf are all of a partition.
func entriesOf(t *testing.T, s store.Store, n int) []store.Entry {
	t.Helper()
	all, err := s.Entries(t.Context(), store.Selection{Partition: n, Limit: 100_000})
	require.NoError(t, err)
	return all
}

// TestWhatTheOldPrimaryAloneHas is set aside with its states, and then it is a secondary like any other.
func TestWhatTheOldPrimaryAloneHas(t *testing.T) {
	t.Parallel()
	for _, checkpoint := range []int{10, 100_000} {
		t.Run(fmt.Sprint("checkpoints every ", checkpoint), func(t *testing.T) {
			t.Parallel()
			old, now := takenOver(t, filepath.Join(t.TempDir(), "store.db"), checkpoint)
			var before [partitions][]store.Entry
			for n := range partitions {
				before[n] = entriesOf(t, old.store, n)
			}
			x := serveNew(t, now.store)
			f := follow(t, old.store, x.address())
			level(t, now.store, old.store)
			reaches(t, f, whole)
			same(t, now.store, old.store)
			requireApart(t, old.store, before)
			requireLoaded(t, now, newSide(t, old.store))

			asides, err := old.store.Asides(t.Context())
			require.NoError(t, err)
			now.create("later")
			same(t, now.store, old.store)
			require.NoError(t, f.Stop(t.Context()))
			f = follow(t, old.store, x.address())
			reaches(t, f, live)
			again, err := old.store.Asides(t.Context())
			require.NoError(t, err)
			require.Equal(t, asides, again, "what is set aside stays as it is")
		})
	}
}

// requireApart: what a journal had and has not any more is set aside, with the states that it had.
func requireApart(t *testing.T, s store.Store, before [partitions][]store.Entry) {
	t.Helper()
	asides, err := s.Asides(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, asides)
	found := map[string]store.AsideEnvironment{}
	for _, a := range asides {
		entries, err := s.AsideEntries(t.Context(), a.ID, 0, 100_000)
		require.NoError(t, err)
		require.Equal(t, before[a.Partition][a.First-1:], entries, "to the last entry, byte by byte")
		require.Equal(t, a.Last, entries[len(entries)-1].Seq)
		require.Equal(t, before[a.Partition][:a.First-1], entriesOf(t, s, a.Partition)[:a.First-1])
		require.EqualValues(t, 1, a.Epoch)
		require.EqualValues(t, 2, a.Overtaken)
		for _, e := range a.Environments {
			found[e.Name] = e
		}
		for _, kept := range a.States {
			state, err := s.AsideState(t.Context(), a.ID, kept.Environment, kept.Step)
			require.NoError(t, err)
			require.Equal(t, kept.Hash, state.Hash)
			require.Len(t, state.Data, kept.Size)
			require.NotEmpty(t, state.Data)
		}
		head, err := s.Head(t.Context(), a.Partition)
		require.NoError(t, err)
		require.LessOrEqual(t, head.Relayed, head.Seq)
	}
	require.Equal(t, environment.Deployed, found["n1"].Before)
	require.Equal(t, environment.Destroyed, found["n1"].After)
	require.Empty(t, found["lost"].Before)
	require.Equal(t, environment.Deploying, found["lost"].After)
	require.Contains(t, found, "n13")
	require.NotContains(t, found, "n2")
}

// requireLoaded: who acts next on a store knows of every environment what the other one does.
func requireLoaded(t *testing.T, want, got *side) {
	t.Helper()
	for n := range partitions {
		for name, s := range want.owned[n].States {
			a, err := s.Snapshot()
			require.NoError(t, err)
			b, err := got.state(name).Snapshot()
			require.NoError(t, err)
			require.JSONEq(t, string(a), string(b), name)
		}
	}
}

// TestPartedInTheMiddleOfLives: what is renamed, left, planned and made again on one side alone is as it was before, also where the
// other side went on with it in another way.
func TestPartedInTheMiddleOfLives(t *testing.T) {
	t.Parallel()
	old, to := newSide(t, fresh(t)), fresh(t)
	old.every(20)
	lives(old, "1")
	f := follow(t, to, serve(t, old.store).address())
	same(t, old.store, to)
	reaches(t, f, whole)
	require.NoError(t, f.Stop(t.Context()))
	var before [partitions]uint64
	for n := range partitions {
		before[n] = old.owned[n].Seq
	}

	old.takeDown("moved1", "b", "d")
	old.make("left1", node("a"), node("b", "a"))
	old.finish("left1", "a")
	old.plan("planned1")
	old.takeDown("planned1", "a")
	lives(old, "2")

	now := newSide(t, to)
	now.epoch, now.kept, now.text = 2, maps.Clone(old.kept), "other"
	for at := range now.kept { // those of what the other side never had
		if found, err := to.State(t.Context(), at[0], at[1]); err == nil {
			now.kept[at] = found
		}
	}
	now.now = now.now.Add(time.Hour)
	now.load()
	now.update("moved1", []environment.Move{{From: "d", To: "e"}}, node("e"), node("b", "e"))
	now.finish("moved1", "e")
	now.finish("moved1", "b")
	now.plan("planned1")
	lives(now, "3")

	f = follow(t, old.store, serveNew(t, now.store).address())
	level(t, now.store, old.store)
	reaches(t, f, whole)
	same(t, now.store, old.store)
	requireLoaded(t, now, newSide(t, old.store))
	asides, err := old.store.Asides(t.Context())
	require.NoError(t, err)
	for _, a := range asides {
		require.Equal(t, before[a.Partition]+1, a.First)
	}
	require.NoError(t, f.Stop(t.Context()))
}

// TestKilledWhileItSetsAside: whenever an old primary is killed while it becomes a secondary, in the end it is one, and nothing of what it
// had is lost or there twice.
func TestKilledWhileItSetsAside(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "old.db")
	old, now := takenOver(t, path, 50)
	var before [partitions][]store.Entry
	for n := range partitions {
		before[n] = entriesOf(t, old.store, n)
	}
	require.NoError(t, old.store.Close())
	x := serveNew(t, now.store)
	for round := range 5 {
		again := filepath.Join(dir, fmt.Sprint(round, ".db"))
		copyFile(t, path, again)
		for range 2 {
			killWithin(t, startChild(t, again, x), 400*time.Millisecond)
		}
		s := openStore(t, again)
		f := follow(t, s, x.address(), func(o *replication.Options) { o.Self.Server = again })
		level(t, now.store, s)
		reaches(t, f, whole)
		same(t, now.store, s)
		requireApart(t, s, before)
		require.NoError(t, f.Stop(t.Context()))
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

// TestASecondaryThatWasAhead of the one that took over sets aside what that one never had, too.
func TestASecondaryThatWasAhead(t *testing.T) {
	t.Parallel()
	old, now := takenOver(t, filepath.Join(t.TempDir(), "store.db"), 100)
	third := fresh(t)
	f := follow(t, third, serve(t, old.store).address())
	same(t, old.store, third)
	require.NoError(t, f.Stop(t.Context()))
	f = follow(t, third, serveNew(t, now.store).address())
	level(t, now.store, third)
	reaches(t, f, whole)
	same(t, now.store, third)
}

// TestNothingIsSetAsideForAStranger: a higher epoch alone is no takeover of this journal.
func TestNothingIsSetAsideForAStranger(t *testing.T) {
	t.Parallel()
	old := newSide(t, fresh(t))
	old.live(0, 4)
	other := newSide(t, fresh(t))
	other.epoch, other.now = 2, other.now.Add(time.Hour)
	other.load()
	other.live(0, 5)
	f := follow(t, old.store, serveNew(t, other.store).address())
	reaches(t, f, func(s replication.Status) bool {
		return s.State == replication.Stopped && strings.Contains(s.Reason, "no entry is the same on both sides")
	})
	asides, err := old.store.Asides(t.Context())
	require.NoError(t, err)
	require.Empty(t, asides)
}
