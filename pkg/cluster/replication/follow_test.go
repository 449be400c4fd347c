package replication_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// TestASecondaryIsTheSame: what was there before, and what comes while it follows, however the primary cut it into batches.
func TestASecondaryIsTheSame(t *testing.T) {
	t.Parallel()
	for _, cuts := range []int{1, 7} {
		t.Run(fmt.Sprint("batches of ", cuts), func(t *testing.T) {
			t.Parallel()
			p := newSide(t, fresh(t))
			p.cuts = cuts
			p.live(0, 8)
			x, to := serve(t, p.store), fresh(t)
			f := follow(t, to, x.address())
			s := reaches(t, f, live)
			same(t, p.store, to)
			require.Equal(t, "east", s.Primary.Cluster)
			require.Zero(t, s.Lag.Entries)
			p.live(8, 22)
			require.NoError(t, p.store.Relayed(t.Context(), 1, 17))
			same(t, p.store, to)
			s = reaches(t, f, whole)
			require.True(t, s.Lag.Known)
			require.Eventually(t, func() bool {
				h, err := to.Head(t.Context(), 1)
				return err == nil && h.Relayed == 17
			}, patience, time.Millisecond, "what was published is not published again after a takeover")
		})
	}
}

// TestCheckpoints: enough for some of them, and a follower that is stopped and begun anew all the while.
func TestCheckpointsAndRestarts(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	path := filepath.Join(t.TempDir(), "store.db")
	x, to := serve(t, p.store), openStore(t, path)
	for i := range 6 {
		p.live(i*15, i*15+15)
		f := follow(t, to, x.address())
		if i%2 == 0 {
			reaches(t, f, func(s replication.Status) bool { return s.Partitions[i%partitions].Seq > uint64(i)*60 })
		} else {
			reaches(t, f, live)
		}
		require.NoError(t, f.Stop(t.Context()))
	}
	follow(t, to, x.address())
	same(t, p.store, to)
	loaded := newSide(t, to)
	for n := range partitions {
		for name, s := range p.owned[n].States {
			want, err := s.Snapshot()
			require.NoError(t, err)
			got, err := loaded.state(name).Snapshot()
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(got), name)
		}
	}
}

func TestCutsAndDelays(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	x, to := serve(t, p.store), fresh(t)
	wan := through(t, x)
	f := follow(t, to, wan.address())
	wan.delay.Store(int64(2 * time.Millisecond))
	for i := range 8 {
		p.live(i*5, i*5+5)
		seen := wan.passed.Load()
		require.Eventually(t, func() bool { return wan.passed.Load() > seen+int64(rand.IntN(10_000)) }, patience, time.Millisecond)
		wan.cut()
	}
	same(t, p.store, to)
	reaches(t, f, whole)
}

// TestAlteredOnTheWay: nothing that was altered is written, and nothing stops for good.
func TestAlteredOnTheWay(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	x, to := serve(t, p.store), fresh(t)
	wan := through(t, x)
	altered := 0
	alter := func(data []byte) {
		if at := rand.IntN(40_000); at < len(data) && altered < 40 {
			data[at] ^= 1 << rand.IntN(8)
			altered++
		}
	}
	wan.alter.Store(&alter)
	f := follow(t, to, wan.address())
	for i := range 8 {
		p.live(i*5, i*5+5)
	}
	same(t, p.store, to)
	s := reaches(t, f, whole)
	for _, part := range s.Partitions {
		require.Nil(t, part.Stopped)
	}
}

func TestThreeSecondaries(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	x := serve(t, p.store)
	var all []store.Store
	for i := range 3 {
		to := fresh(t)
		all = append(all, to)
		f := follow(t, to, x.address(), func(o *replication.Options) { o.Self.Server = fmt.Sprint("server-", i) })
		p.live(i*5, i*5+5)
		reaches(t, f, live)
	}
	for _, to := range all {
		same(t, p.store, to)
	}
	require.Eventually(t, func() bool {
		peers := x.Peers()
		for _, peer := range peers {
			if !peer.Connected || !peer.Lag.Known || peer.Lag.Entries > 0 || peer.Cluster != "west" {
				return false
			}
		}
		return len(peers) == 3
	}, patience, 5*time.Millisecond)
}

// TestAPeerThatIsGone is shown with a lag that grows.
func TestAPeerThatIsGone(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	x, to := serve(t, p.store), fresh(t)
	f := follow(t, to, x.address())
	p.live(0, 5)
	reaches(t, f, live)
	require.Eventually(t, func() bool { return len(x.Peers()) == 1 && x.Peers()[0].Lag == replication.Lag{Known: true} }, patience, time.Millisecond)
	require.NoError(t, f.Stop(t.Context()))
	p.live(5, 10)
	require.Eventually(t, func() bool {
		peer := x.Peers()[0]
		return !peer.Connected && peer.Lag.Entries > 10 && peer.Lag.Seconds > 0
	}, patience, time.Millisecond)
}

func TestTheLagOfWhoIsCutOff(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	x, to := serve(t, p.store), fresh(t)
	wan := through(t, x)
	f := follow(t, to, wan.address())
	p.live(0, 5)
	reaches(t, f, live)
	require.Zero(t, f.Lag().Seconds)
	wan.hold(true)
	reaches(t, f, func(s replication.Status) bool { return s.Lag.Seconds > 0.2 })
	wan.hold(false)
	p.live(5, 10)
	same(t, p.store, to)
	reaches(t, f, func(s replication.Status) bool { return live(s) && s.Lag.Seconds == 0 })
}

func TestTheKey(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	x := serve(t, p.store)
	var mine *secret.Box
	keep := func(o *replication.Options) {
		o.KeyID = func() string {
			if mine == nil {
				return ""
			}
			return mine.ID()
		}
		o.TakeKey = func(key []byte) (err error) {
			mine, err = secret.NewBox(key)
			return err
		}
	}
	f := follow(t, fresh(t), x.address(), keep)
	reaches(t, f, live)
	require.NoError(t, f.Stop(t.Context()))
	plain, err := mine.OpenBytes(x.box.SealBytes([]byte("a secret")))
	require.NoError(t, err)
	require.Equal(t, "a secret", string(plain))

	mine = newBox(t)
	f = follow(t, fresh(t), x.address(), keep)
	s := reaches(t, f, func(s replication.Status) bool { return s.State == replication.Refused })
	require.Contains(t, s.Reason, "another cluster's key")
}

// TestRefused: what only a person can mend is said, and nothing is written.
func TestRefused(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	p.live(0, 3)
	certified, plain := httptest.NewTLSServer(http.NotFoundHandler()), httptest.NewServer(http.NotFoundHandler())
	certified.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(certified.Close)
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct {
		set    func(*replication.Options)
		id     func(*replication.Identity)
		state  replication.State
		reason string
	}{
		"another token":        {set: func(o *replication.Options) { o.Token = "another" }, reason: "another replication token"},
		"another data centre":  {set: func(o *replication.Options) { o.Primary = "north" }, reason: `is of cluster "east", and this secondary follows "north"`},
		"other partitions":     {set: func(o *replication.Options) { o.Partitions = 4 }, reason: "the primary has 3 partitions"},
		"a longer lease":       {set: func(o *replication.Options) { o.Lease = 5 * time.Second }, id: func(i *replication.Identity) { i.Lease = 6 * time.Second }, reason: "set cluster.lease to the same"},
		"no primary":           {id: func(i *replication.Identity) { i.Role = replication.Secondary }, state: replication.Connecting, reason: "is no primary"},
		"an older epoch":       {id: func(i *replication.Identity) { i.Epoch = 0 }, reason: "here epoch 1 is in force"},
		"nobody there":         {set: func(o *replication.Options) { o.Find = replication.Static{"http://127.0.0.1:1"} }, state: replication.Connecting, reason: "does not answer"},
		"nobody's certificate": {set: func(o *replication.Options) { o.Find = replication.Static{certified.URL} }, reason: "replication.ca_file"},
		"TLS where there is none": {set: func(o *replication.Options) {
			o.Find = replication.Static{"https" + strings.TrimPrefix(plain.URL, "http")}
		},
			reason: "has no TLS"},
		"no TLS where it is": {set: func(o *replication.Options) {
			o.Find = replication.Static{"http" + strings.TrimPrefix(certified.URL, "https")}
		},
			reason: "give its address with https://"},
		"no address":            {set: func(o *replication.Options) { o.Find = replication.Static{"::"} }, reason: "no address of a primary"},
		"nobody is to be found": {set: func(o *replication.Options) { o.Find = replication.Static{} }, state: replication.Connecting, reason: "no server of the primary"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, to := serve(t, p.store), fresh(t)
			require.NoError(t, to.Append(t.Context(), store.Batch{Partition: 0, Epoch: 1})) // an epoch is in force
			if c.id != nil {
				id := *x.id.Load()
				c.id(&id)
				x.id.Store(&id)
			}
			if c.set == nil {
				c.set = func(*replication.Options) {}
			}
			if c.state == "" {
				c.state = replication.Refused
			}
			f := follow(t, to, x.address(), c.set)
			s := reaches(t, f, func(s replication.Status) bool { return s.State == c.state && s.Reason != "" })
			require.Contains(t, s.Reason, c.reason)
			require.False(t, s.Lag.Known)
			head, err := to.Head(t.Context(), 0)
			require.NoError(t, err)
			require.Zero(t, head.Seq)
		})
	}
}

// TestDiverged: a partition that has parted from the primary's stops, the others go on, and nothing is overwritten.
func TestDiverged(t *testing.T) {
	t.Parallel()
	first := func(t *testing.T) (p *side, to store.Store) {
		p, to = newSide(t, fresh(t)), fresh(t)
		p.live(0, 6)
		x := serve(t, p.store)
		f := follow(t, to, x.address())
		same(t, p.store, to)
		require.NoError(t, f.Stop(t.Context()))
		return p, to
	}
	stops := func(t *testing.T, p *side, to store.Store, n int, reason string) {
		before, err := replication.Head(t.Context(), to, n)
		require.NoError(t, err)
		x := serve(t, p.store)
		f := follow(t, to, x.address())
		s := reaches(t, f, func(s replication.Status) bool {
			others := true
			for _, q := range s.Partitions {
				others = others && (q.Partition == n || q.Stopped == nil && q.Head > 0 && q.Seq == q.Head)
			}
			return s.State == replication.Stopped && others
		})
		require.Equal(t, string(replication.Diverged), s.Code)
		require.Contains(t, s.Reason, reason)
		require.Equal(t, n, s.Partitions[n].Stopped.Partition)
		after, err := replication.Head(t.Context(), to, n)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Eventually(t, func() bool { return len(x.Peers()) == 1 && len(x.Peers()[0].Stopped) == 1 }, patience, time.Millisecond)
	}
	n := partitionOf("parted")
	t.Run("both went on", func(t *testing.T) {
		t.Parallel()
		p, to := first(t)
		newSide(t, to).create("parted")
		p.create("parted")
		p.live(6, 12)
		stops(t, p, to, n, "the two have parted")
	})
	t.Run("the primary is behind", func(t *testing.T) {
		t.Parallel()
		p, to := first(t)
		newSide(t, to).create("parted")
		stops(t, p, to, n, "restored from an older backup")
	})
	t.Run("another cluster's journal", func(t *testing.T) {
		t.Parallel()
		other, to := newSide(t, fresh(t)), fresh(t)
		other.now = other.now.Add(time.Hour)
		other.live(0, 8)
		newSide(t, to).create("parted")
		stops(t, other, to, n, "another cluster's")
	})
	t.Run("the primary's journal was altered", func(t *testing.T) {
		t.Parallel()
		p, to := first(t)
		p.create("parted")
		b := store.Batch{Partition: n, Epoch: 1, Entries: []store.Entry{{Partition: n, Seq: p.owned[n].Seq + 1, Environment: "parted",
			Type: "command.rejected", Data: []byte(`{}`), Chain: store.Link("", store.Entry{})}}}
		require.NoError(t, p.store.Append(t.Context(), b))
		x := serve(t, p.store)
		f := follow(t, to, x.address())
		s := reaches(t, f, func(s replication.Status) bool { return s.State == replication.Stopped })
		require.Contains(t, s.Reason, "another checksum")
	})
	t.Run("a fact that can't follow", func(t *testing.T) {
		t.Parallel()
		p, to := first(t)
		e := store.Entry{Partition: n, Seq: p.owned[n].Seq + 1, Environment: "parted", Type: "step.complete", Data: []byte(`{"step":"a"}`)}
		e.Chain = store.Link(p.owned[n].Chain, e)
		require.NoError(t, p.store.Append(t.Context(), store.Batch{Partition: n, Epoch: 1, Entries: []store.Entry{e}}))
		x := serve(t, p.store)
		f := follow(t, to, x.address())
		s := reaches(t, f, func(s replication.Status) bool { return s.State == replication.Stopped })
		require.Contains(t, s.Reason, "can't follow on what is here")
	})
}

// TestFromBeforeThereWereChains: entries without one are replicated, and the chain begins behind them.
func TestFromBeforeThereWereChains(t *testing.T) {
	t.Parallel()
	p, to := newSide(t, fresh(t)), fresh(t)
	old := newSide(t, fresh(t))
	old.live(0, 10)
	for n := range partitions {
		entries, err := old.store.Entries(t.Context(), store.Selection{Partition: n, Limit: 10_000})
		require.NoError(t, err)
		for i := range entries {
			entries[i].Chain = ""
			require.NoError(t, p.owned[n].Take(t.Context(), entries[i]))
		}
		b := store.Batch{Partition: n, Epoch: 1, Entries: entries}
		require.NoError(t, p.owned[n].Fill(&b))
		require.NoError(t, p.store.Append(t.Context(), b))
		p.owned[n].Committed(b)
	}
	x := serve(t, p.store)
	f := follow(t, to, x.address())
	reaches(t, f, live)
	require.NoError(t, f.Stop(t.Context()))
	p.create("chained")
	p.finish("chained", "a")
	f = follow(t, to, x.address())
	reaches(t, f, live)
	head, err := to.Head(t.Context(), partitionOf("chained"))
	require.NoError(t, err)
	require.NotEmpty(t, head.Chain)
}

// TestTakenOver: once a higher epoch is in force here, nothing of the old primary is written.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	p, to := newSide(t, fresh(t)), fresh(t)
	p.live(0, 3)
	x := serve(t, p.store)
	f := follow(t, to, x.address())
	reaches(t, f, live)
	mine := newSide(t, to)
	mine.epoch = 2
	mine.load()
	mine.create("mine")
	p.live(3, 9)
	s := reaches(t, f, func(s replication.Status) bool { return s.State == replication.Refused })
	require.Equal(t, string(fault.StaleEpoch), s.Code)
}

// TestLeaving: all that is in the journal arrives, and then the word that nothing more is to come.
func TestLeaving(t *testing.T) {
	t.Parallel()
	p, to := newSide(t, fresh(t)), fresh(t)
	x := serve(t, p.store)
	f := follow(t, to, x.address())
	reaches(t, f, live)
	p.live(0, 15)
	x.Leave()
	reaches(t, f, func(s replication.Status) bool { return s.State == replication.Left })
	same(t, p.store, to)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, x.Source.Stop(ctx))
}

// TestTwoServersOfOneSecondary share a store: of each partition one is written by one of them, and the other goes on with it where that one is gone. Both
// keep their streams, and tell the primary what is in the store.
func TestTwoServersOfOneSecondary(t *testing.T) {
	t.Parallel()
	p := newSide(t, fresh(t))
	path := filepath.Join(t.TempDir(), "store.db")
	x, to := serve(t, p.store), openStore(t, path)
	named := func(name string) func(*replication.Options) {
		return func(o *replication.Options) { o.Self.Server, o.Prompt = name, true }
	}
	one := follow(t, to, x.address(), named("one"))
	two := follow(t, openStore(t, path), x.address(), named("two"))
	kept := func(round int) bool {
		since := []time.Time{reaches(t, one, live).Since, reaches(t, two, live).Since}
		p.live(round*4, round*4+4)
		level(t, p.store, to)
		a, b := reaches(t, one, live), reaches(t, two, live)
		for n := range partitions {
			if a.Partitions[n].Standby == b.Partitions[n].Standby {
				return false
			}
		}
		return slices.Equal(since, []time.Time{a.Since, b.Since})
	}
	round := 0
	for ; !kept(round); round++ { // where one is slow the other takes it for gone, but not for ever
		require.Less(t, round, 20, "each round costs a stream, or a partition is written by both")
	}
	require.Eventually(t, func() bool {
		peers := x.Peers()
		return len(peers) == 2 && !slices.ContainsFunc(peers, func(p replication.Peer) bool { return p.Lag.Entries > 0 })
	}, patience, 5*time.Millisecond)
	same(t, p.store, to)

	require.NoError(t, one.Stop(t.Context()))
	p.live(round*4+4, round*4+12)
	same(t, p.store, to)
	reaches(t, two, func(s replication.Status) bool {
		return whole(s) && !slices.ContainsFunc(s.Partitions, func(f replication.Following) bool { return f.Standby })
	})
}
