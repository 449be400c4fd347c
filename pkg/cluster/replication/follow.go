package replication

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/service"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Options of a Follower. Store, Partitions, Find and Token are required.
type Options struct {
	Store      store.Store
	Partitions int
	Find       Finder
	Token      string
	// Self names this secondary to the primary, and Primary is the name of the cluster that it follows; empty follows any.
	Self    Name
	Primary string
	// KeyID is that of the cluster's key here, empty while there is none; TakeKey keeps the primary's, and is called when there
	// is none. Where both are there and differ, nothing is followed. Without TakeKey no key is asked for.
	KeyID   func() string
	TakeKey func(key []byte) error
	// Heard is told who the primary is whenever a stream begins, and every beat of it; it must not block.
	Heard func(Identity, Beat)
	// Floor is the lowest epoch of a primary that is followed, and told anything; nil is none. It must not block.
	Floor func() uint64
	// Knows is the version of what a primary of an epoch has told of those that it counts, 0 where it has not; nil is none. It must not block.
	Knows func(epoch uint64) uint64
	// Lease is how long a takeover by this secondary waits after its last word; a primary that takes such a word for longer is not followed.
	Lease time.Duration
	// Telling is called with the moment before each word to the primary of how far this is; it must not block.
	Telling func(at time.Time)
	// Members are those of this side, for the primary; nil says nothing of them. It must not block.
	Members func() []Member
	// Client asks the primary; it has the TLS settings, and no timeout of its own, since a stream has no end.
	Client *http.Client
	// Beat is how often the primary is told how far this is, and a third of how long its silence is borne; a second unless set.
	Beat time.Duration
	// Prompt: the primary waits for this secondary, and is told at once, too, whenever something was written.
	Prompt bool
	// Checkpoint is memory.Partition.CheckpointEvery.
	Checkpoint int
	// Retry says how the primary is tried to be reached; from 200 ms up to 5 s between two attempts unless set.
	Retry resilience.Policy
	Log   *slog.Logger
}

// Follower keeps a store the same as the primary's. It is a service.Service; Status may be called at any time.
type Follower struct {
	Options
	partitions []*partition
	view       view
	written    chan struct{} // has a value when something was
	telling    every         // of the members
	streaming  sync.Mutex    // held by whoever reads a stream
	lent       atomic.Int32  // another secondary is, or is to be, asked for what this one lacks
	current    atomic.Pointer[context.CancelCauseFunc]

	run     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

var _ service.Service = (*Follower)(nil)

// NewFollower checks the options; nothing runs before Start.
func NewFollower(o Options) (*Follower, error) {
	if o.Store == nil || o.Partitions < 1 || o.Find == nil || o.Token == "" {
		return nil, errors.New("replication: store, partitions, finder and token are required")
	}
	if o.KeyID == nil {
		o.KeyID = func() string { return "" }
	}
	if o.Heard == nil {
		o.Heard = func(Identity, Beat) {}
	}
	if o.Floor == nil {
		o.Floor = func() uint64 { return 0 }
	}
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: askTime, IdleConnTimeout: time.Minute}}
	}
	if o.Beat <= 0 {
		o.Beat = time.Second
	}
	if o.Retry == (resilience.Policy{}) {
		o.Retry = resilience.Policy{Backoff: 200 * time.Millisecond, MaxBackoff: 5 * time.Second}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{Options: o, written: make(chan struct{}, 1)}
	f.run, f.cancel = context.WithCancel(context.Background())
	for n := range o.Partitions {
		f.partitions = append(f.partitions, &partition{f: f, number: n})
	}
	f.view.state = Connecting
	return f, nil
}

// Start begins to follow in the background; that the primary is not there is no error.
func (f *Follower) Start(ctx context.Context) error {
	for _, p := range f.partitions {
		head, err := f.Store.Head(ctx, p.number)
		if err != nil {
			return err
		}
		p.applied.Store(head.Seq)
	}
	f.running.Go(f.follow)
	return nil
}

// Stop ends following: what is being written is written to its end, nothing after it. Stopping twice is harmless.
func (f *Follower) Stop(context.Context) error {
	f.cancel()
	f.running.Wait()
	f.Client.CloseIdleConnections()
	return nil
}

// refusal is the time between attempts where only a person can help.
const refusal = 10 * time.Second

// follow goes from one stream to the next.
func (f *Follower) follow() {
	for f.run.Err() == nil {
		err := resilience.Do(f.run, f.Retry, func(ctx context.Context) error {
			err := f.session(ctx)
			f.view.disconnected(err)
			if err != nil && ctx.Err() == nil {
				f.Log.Warn("the primary is not followed", "error", err)
			}
			return err
		})
		switch {
		case f.run.Err() != nil:
		case err == nil:
			_ = resilience.Pause(f.run, 50*time.Millisecond) // a stream that worked has ended
		default:
			_ = resilience.Pause(f.run, refusal)
		}
	}
}

// session follows one stream to its end. The error is nil when the stream had begun: then the next attempt need not wait.
func (f *Follower) session(ctx context.Context) error {
	f.streaming.Lock()
	defer f.streaming.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.current.Store(&cancel)
	if f.lent.Load() > 0 {
		return errLent
	}
	addresses, err := f.Find.Find(ctx)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		return fault.New(fault.Wait, fault.Unavailable, "no server of the primary %s is to be found", f.Primary)
	}
	var all []error
	for _, address := range addresses {
		r := &remote{address, f.Token, f.Client}
		id, err := f.meet(ctx, r)
		if err == nil {
			return f.attend(ctx, r, id)
		}
		all = append(all, err)
	}
	return worst(all)
}

// worst is the error that says most about what to do: one that only a person can mend.
func worst(all []error) error {
	for _, err := range all {
		if d := fault.From(err).Disposition; d == fault.GiveUp || d == fault.Reject {
			return err
		}
	}
	return all[0]
}
