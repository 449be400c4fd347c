package orchestrator

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Bounds of the relay: entries it holds in memory, and those that may be unconfirmed.
const (
	relayQueue  = 8192
	relayWindow = 1024
)

// relay publishes a partition's journal as events, in order, each at least once. It confirms in the background: nothing
// waits for it. After a failure it goes back to the last position that is confirmed throughout, so that events of one
// environment never overtake each other for good; ids stay the same, and subscribers can drop a second copy.
type relay struct {
	x      *Orchestrator
	number int

	mu        sync.Mutex
	active    bool
	life      int             // grows with every reset and rewind: confirmations of an older life do not count
	queue     []store.Entry   // the next to send, without gaps; may be shorter than the journal
	next      uint64          // seq to send next
	last      uint64          // of the journal
	confirmed uint64          // all up to here are
	pending   map[uint64]bool // confirmed out of order
	failed    bool            // something was not confirmed: go back
	changed   chan struct{}
	done      chan struct{}
	cancel    context.CancelFunc
}

func newRelay(x *Orchestrator, number int) *relay {
	return &relay{x: x, number: number, changed: make(chan struct{}, 1), done: make(chan struct{}), pending: map[uint64]bool{}}
}

func (r *relay) start() {
	ctx, cancel := context.WithCancel(r.x.run)
	r.cancel = cancel
	go r.loop(ctx)
}

// resume begins behind a position that is known to be published.
func (r *relay) resume(confirmed, last uint64) {
	r.mu.Lock()
	r.life++
	r.active, r.failed = true, false
	r.confirmed, r.next, r.last = confirmed, confirmed+1, last
	r.queue, r.pending = nil, map[uint64]bool{}
	r.mu.Unlock()
	r.signal()
}

// reset ends publishing: somebody else may own the partition.
func (r *relay) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life++
	r.active, r.queue = false, nil
}

// add takes entries that were just committed. What does not fit is read from the journal later.
func (r *relay) add(entries []store.Entry) {
	if len(entries) == 0 {
		return
	}
	r.mu.Lock()
	follows := entries[0].Seq == r.next+uint64(len(r.queue))
	if follows && len(r.queue)+len(entries) <= relayQueue {
		r.queue = append(r.queue, entries...)
	}
	r.last = entries[len(entries)-1].Seq
	r.mu.Unlock()
	r.signal()
}

func (r *relay) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// stop waits until all is confirmed or ctx ends.
func (r *relay) stop(ctx context.Context) error {
	if r.cancel == nil {
		return nil // never started
	}
	defer func() { r.cancel(); <-r.done }()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		r.mu.Lock()
		settled := !r.active || r.confirmed >= r.last
		left := r.last - r.confirmed
		r.mu.Unlock()
		if settled {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d events of partition %d are published at the next start", left, r.number)
		case <-poll.C:
		}
	}
}

func (r *relay) loop(ctx context.Context) {
	defer close(r.done)
	for {
		entry, life, ok := r.take(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case ok:
			r.publish(ctx, entry, life)
		default:
			select {
			case <-ctx.Done():
				return
			case <-r.changed:
			}
		}
	}
}

// take finds the next entry to send, ok false when there is none now.
func (r *relay) take(ctx context.Context) (entry store.Entry, life int, ok bool) {
	r.mu.Lock()
	if r.failed {
		r.mu.Unlock()
		r.pause(ctx) // what else is on its way may be confirmed yet
		r.mu.Lock()
		r.failed = false
		r.life++
		r.next, r.queue, r.pending = r.confirmed+1, nil, map[uint64]bool{}
	}
	full := r.next > r.confirmed+relayWindow
	if !r.active || full || r.next > r.last {
		r.mu.Unlock()
		return entry, 0, false
	}
	if len(r.queue) > 0 {
		entry, life = r.queue[0], r.life
		r.queue = r.queue[1:]
		r.next++
		r.mu.Unlock()
		return entry, life, true
	}
	next, life := r.next, r.life
	r.mu.Unlock()
	r.read(ctx, next, life)
	r.signal()
	return entry, 0, false
}

// read fills the queue from the journal.
func (r *relay) read(ctx context.Context, next uint64, life int) {
	entries, err := r.x.Store.Entries(ctx, store.Selection{Partition: r.number, After: next - 1, Limit: relayWindow})
	if err != nil {
		r.x.Log.Warn("the journal can't be read for publishing", "partition", r.number, "error", err)
		r.pause(ctx)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life == life && r.next == next {
		r.queue = entries
	}
}

func (r *relay) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(500 * time.Millisecond):
	}
}

func (r *relay) publish(ctx context.Context, e store.Entry, life int) {
	m, err := r.x.Event(e)
	if err != nil {
		// An entry that this version can't show is for later versions; subscribers see the gap in the sequence.
		r.x.Log.Error("a journal entry can't be published", "partition", e.Partition, "seq", e.Seq, "error", err)
		r.settled(e.Seq, life, nil)
		return
	}
	if err := r.x.Bus.Send(ctx, m, func(err error) { r.settled(e.Seq, life, err) }); err != nil {
		r.settled(e.Seq, life, err)
	}
}

// settled takes a confirmation.
func (r *relay) settled(seq uint64, life int, err error) {
	r.mu.Lock()
	defer r.signal()
	defer r.mu.Unlock()
	if life != r.life {
		return
	}
	if err != nil {
		r.failed = true
		return
	}
	r.pending[seq] = true
	for r.pending[r.confirmed+1] {
		delete(r.pending, r.confirmed+1)
		r.confirmed++
	}
	if r.confirmed%64 == 0 || r.confirmed == r.last {
		_ = r.x.Store.Relayed(r.x.run, r.number, r.confirmed) // a position that is too low costs second copies, no more
	}
}

// Event is a journal entry as subscribers see it.
func (x *Orchestrator) Event(e store.Entry) (bus.Message, error) {
	data, err := environment.PublicData(e.Type, e.Data)
	if err != nil {
		return bus.Message{}, err
	}
	id := x.Cluster + "-" + strconv.Itoa(e.Partition) + "-" + strconv.FormatUint(e.Seq, 10)
	if e.Epoch > 1 { // another side may have published an entry of this place, which is set aside since
		id += "-e" + strconv.FormatUint(e.Epoch, 10)
	}
	env := event.Envelope{SpecVersion: event.SpecVersion, ID: id, Source: x.source(), Type: event.TypeOf(e.Type), Subject: e.Environment,
		Time: &e.Time, DataContentType: "application/json", TraceParent: e.TraceParent, Partition: &e.Partition,
		Sequence: strconv.FormatUint(e.Seq, 10), Epoch: &e.Epoch, CausationID: e.Causation, Data: secret.Show(data)}
	m := bus.Message{To: bus.Address{Exchange: bus.Events, Key: environment.RoutingKey(e.Environment, e.Type)}, ID: id,
		Type: env.Type, ContentType: event.ContentType, Body: env.Encode()}
	if e.TraceParent != "" {
		m.Headers = map[string]string{"traceparent": e.TraceParent}
	}
	return m, nil
}
