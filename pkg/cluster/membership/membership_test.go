package membership

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is one of a primary's side, with the side's store.
func server(t *testing.T, file string, epoch uint64) (*Membership, *sqlite.Store) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: file})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	m := New(Options{Store: s, Partitions: 2, Epoch: epoch, Lease: authority.NewLease(time.Minute), Every: time.Hour})
	require.NoError(t, m.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, m.Stop(context.Background())) })
	return m, s
}

func says(name string, knows uint64) Reading {
	return Reading{Secondary: store.Secondary{Name: "dr/" + name, Side: "side of " + name}, Knows: knows}
}

func has(n uint64) func(int) uint64 { return func(int) uint64 { return n } }

// look waits until a server's side counts these.
func look(t *testing.T, m *Membership, counted ...string) store.Secondaries {
	t.Helper()
	var found store.Secondaries
	require.Eventually(t, func() (same bool) {
		var err error
		found, err = m.Look(t.Context())
		return err == nil && slices.Equal(counted, found.Names())
	}, time.Minute, time.Millisecond)
	return found
}

func TestAllServersOfASideCountTheSame(t *testing.T) {
	file := t.TempDir() + "/store.db"
	one, s := server(t, file, 1)
	two, _ := server(t, file, 1)
	_, always, _ := two.Lease.Left(time.Now())
	require.True(t, always, "nobody is counted")

	require.NoError(t, s.Append(t.Context(), store.Batch{Partition: 1, Epoch: 1, Entries: []store.Entry{{Partition: 1, Seq: 1}}}))
	one.Heard(says("a", 0), time.Now())
	look(t, two, "dr/a")
	require.Equal(t, 1, two.Lease.Needs(), "the other server waits for it as soon as it looks")
	version, all := two.Tell(says("a", 0).Secondary, has(0))
	require.Empty(t, all, "it lacks what was written before it was counted")
	require.Zero(t, version)
	version, all = two.Tell(says("a", 0).Secondary, has(1))
	require.Len(t, all, 1)
	_, all = two.Tell(says("stranger", 0).Secondary, has(9))
	require.Empty(t, all)

	two.Heard(says("b", 0), time.Now())
	found := look(t, two, "dr/a")
	require.Eventually(t, func() bool { found, _ = one.Look(t.Context()); return found.Joining != nil }, time.Minute, time.Millisecond)
	one.Heard(says("a", version), time.Now()) // knows only itself
	look(t, one, "dr/a")
	_, all = one.Tell(says("a", 0).Secondary, has(1))
	require.Len(t, all, 2, "who is counted hears who joins")
	one.Heard(says("a", found.Version), time.Now())
	one.Heard(says("b", 0), time.Now())
	look(t, one, "dr/a", "dr/b")
	_, all = one.Tell(says("b", 0).Secondary, has(1))
	require.Len(t, all, 2)

	member, left, err := two.Forget(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "dr/a", member)
	require.Equal(t, []string{"dr/b"}, left)
	look(t, one, "dr/b")
	require.Equal(t, []string{"dr/b"}, one.Lease.Members())
	_, _, err = two.Forget(t.Context(), "a")
	require.True(t, fault.Is(err, fault.NotFound))
	require.ErrorContains(t, err, "dr/b")

	later, _ := server(t, file, 2)
	look(t, later)
	require.Empty(t, later.Lease.Members(), "what was counted under an earlier epoch says nothing")
	later.Heard(says("a", found.Version), time.Now())
	require.Greater(t, look(t, later, "dr/a").Version, found.Version)
}

func TestOneThatComesForAnotherOfItsSideNeedsNoWordOfThat(t *testing.T) {
	one, _ := server(t, t.TempDir()+"/store.db", 1)
	one.Heard(says("a", 0), time.Now())
	look(t, one, "dr/a")
	other := says("b", 0)
	other.Side = says("a", 0).Side
	one.Heard(other, time.Now())
	require.Eventually(t, func() bool {
		one.Heard(other, time.Now())
		found, err := one.Look(t.Context())
		return err == nil && len(found.Counted) == 2
	}, time.Minute, time.Millisecond)
}

func TestWhoGoesBeforeItIsCountedHoldsUpNobody(t *testing.T) {
	joining := says("b", 0).Secondary
	s := store.Secondaries{Version: 5, Counted: []store.Secondary{says("a", 0).Secondary}, Joining: &joining}
	_, change := next(s, []Reading{says("a", 4), says("b", 0), says("c", 0)}, true)
	require.False(t, change, "a does not know yet")
	_, change = next(s, []Reading{says("a", 4), says("c", 0)}, false)
	require.False(t, change, "another server may have heard b")
	after, change := next(s, []Reading{says("a", 4), says("c", 0)}, true)
	require.True(t, change)
	require.Nil(t, after.Joining)
	after, change = next(after, []Reading{says("a", 4), says("c", 0)}, true)
	require.True(t, change)
	require.Equal(t, "dr/c", after.Joining.Name)
}

// world is a primary's side of two servers that may know different things, and secondaries that may; each offer was kept by who had to.
type world struct {
	store   store.Secondaries
	head    int
	offers  []offer
	servers [2]struct {
		known store.Secondaries
		floor int
	}
	secondaries [4]struct {
		has    int // entries
		tally  store.Secondaries
		forced bool
	}
}

type offer struct{ entry int }

func name(n int) string { return fmt.Sprint("dr/", n) }

// TestEveryTakeoverMeetsEveryOffer goes through random orders of what servers and secondaries do, each with what it knows, and asks after each step:
// whoever could take over now has, or is told by one of those that agree of, every entry that was offered.
func TestEveryTakeoverMeetsEveryOffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{}
		t.Repeat(map[string]func(*rapid.T){
			"":            w.check,
			"look":        w.look,
			"join":        w.join,
			"write":       func(*rapid.T) { w.head++ },
			"offer":       w.offer,
			"replicate":   w.replicate,
			"tell":        w.tell,
			"tell, again": w.tell,
		})
	})
}

func (w *world) look(t *rapid.T) {
	s := &w.servers[rapid.IntRange(0, 1).Draw(t, "server")]
	if s.known.Version != w.store.Version {
		s.known, s.floor = w.store, w.head
	}
}

// join is what a server does that has heard of some secondaries.
func (w *world) join(t *rapid.T) {
	var heard []Reading
	for n, s := range w.secondaries {
		if rapid.Bool().Draw(t, "heard") {
			heard = append(heard, Reading{Secondary: store.Secondary{Name: name(n)}, Knows: s.tally.Version})
		}
	}
	if after, change := next(w.store, heard, rapid.Bool().Draw(t, "long")); change {
		after.Version = w.store.Version + 1
		w.store = after
	}
}

// offer of the newest entry, which was written before the server looks; it is made where those that it then waits for have it.
func (w *world) offer(t *rapid.T) {
	have := 0
	for _, c := range w.store.Counted {
		for n, s := range w.secondaries {
			if c.Name == name(n) && s.has >= w.head {
				have++
			}
		}
	}
	if have >= authority.Quorum(len(w.store.Counted)) {
		w.offers = append(w.offers, offer{w.head})
	}
}

func (w *world) replicate(t *rapid.T) {
	s := &w.secondaries[rapid.IntRange(0, len(w.secondaries)-1).Draw(t, "secondary")]
	s.has = rapid.IntRange(s.has, w.head).Draw(t, "has")
}

func (w *world) tell(t *rapid.T) {
	by := w.servers[rapid.IntRange(0, 1).Draw(t, "server")]
	n := rapid.IntRange(0, len(w.secondaries)-1).Draw(t, "secondary")
	m := &Membership{known: by.known, floor: []uint64{uint64(by.floor)}}                      //nolint:gosec // small
	version, all := m.Tell(store.Secondary{Name: name(n)}, has(uint64(w.secondaries[n].has))) //nolint:gosec // small
	if version > w.secondaries[n].tally.Version {
		w.secondaries[n].tally = store.Secondaries{Version: version, Counted: all}
	}
}

// check has each secondary ask all sets of the others that it knows of, and that know that they are counted.
func (w *world) check(t *rapid.T) {
	for n, asks := range w.secondaries {
		if asks.tally.Version == 0 {
			continue
		}
		var others []int
		for o, s := range w.secondaries {
			if o != n && s.tally.Version > 0 && slices.Contains(asks.tally.Names(), name(o)) {
				others = append(others, o)
			}
		}
		need := authority.Agree(len(asks.tally.Counted))
		for set := range 1 << len(others) {
			most, votes := asks.has, 1
			for i, o := range others {
				if set>>i&1 == 1 {
					votes++
					most = max(most, w.secondaries[o].has)
				}
			}
			for _, made := range w.offers {
				if votes >= need && most < made.entry {
					t.Fatalf("%s takes over with %d of %d, and nobody has entry %d, which was offered", name(n), votes, len(asks.tally.Counted), made.entry)
				}
			}
		}
	}
}
