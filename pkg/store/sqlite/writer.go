package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueLength  = 1024
	groupCalls   = 256
	groupWeight  = 8192 // rows, about 30 ms of work: what a caller that waits behind a full group pays
	pollEvery    = 250 * time.Millisecond
	relayedDelay = time.Second
	dataVersion  = "PRAGMA data_version"
)

// States of a call: whoever moves it out of waiting decides whether it is written.
const (
	waiting int32 = iota
	taken
	abandoned
)

// call is one caller's share of a transaction.
type call struct {
	write  func(*transaction) error
	weight int // rows, roughly
	state  atomic.Int32
	result error
	done   chan struct{}
}

// writer owns the writing connection: one goroutine takes what is waiting and commits it as a group.
type writer struct {
	store *Store
	conn  *conn
	queue chan *call
	wake  chan struct{} // a first watcher came, or something was relayed
	ended chan struct{}

	gate   sync.RWMutex // held for reading while sending to queue, so that close can close it
	closed bool

	group   []*call
	version int64 // PRAGMA data_version at the last look
}

func startWriter(s *Store, c *conn) *writer {
	w := &writer{store: s, conn: c, queue: make(chan *call, queueLength), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	w.version, _, _ = c.integer(dataVersion) // what it is does not matter, only that it changes
	go w.run()
	return w
}

// do hands a call to the writer and waits for its outcome. When ctx ends before the writer took the call, nothing
// is written; when it ends later, the call may be written though the caller gets ctx's error.
func (w *writer) do(ctx context.Context, weight int, write func(*transaction) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{write: write, weight: weight, done: make(chan struct{})}
	if err := w.send(ctx, c); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.result
	case <-ctx.Done():
		c.state.CompareAndSwap(waiting, abandoned)
		return ctx.Err()
	}
}

func (w *writer) send(ctx context.Context, c *call) error {
	w.gate.RLock()
	defer w.gate.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.queue <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) isClosed() bool {
	w.gate.RLock()
	defer w.gate.RUnlock()
	return w.closed
}

// nudge makes the writer look at its timers.
func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) close() error {
	w.gate.Lock()
	w.closed = true
	close(w.queue)
	w.gate.Unlock()
	<-w.ended
	return w.conn.close()
}

// run is the writer's goroutine. Poll and flush run only while there is something to do for them.
func (w *writer) run() {
	defer close(w.ended)
	poll, flush := newTimer(pollEvery), newTimer(relayedDelay)
	sweep := time.NewTimer(w.store.options.firstSweep)
	defer poll.stop()
	defer flush.stop()
	defer sweep.Stop()
	for {
		select {
		case c, open := <-w.queue:
			if !open {
				w.commit(nil)
				return
			}
			w.commit(w.collect(c))
		case <-w.wake:
			if w.store.watchers.Any() && !poll.running {
				w.poll()
				poll.start()
			}
			if w.store.relayed.Any() {
				flush.start()
			}
		case <-poll.C:
			poll.running = false
			w.poll()
			if w.store.watchers.Any() {
				poll.start()
			}
		case <-sweep.C:
			sweep.Reset(w.sweep())
		case <-flush.C:
			flush.running = false
			w.commit(nil)
			if w.store.relayed.Any() {
				flush.start()
			}
		}
	}
}

// collect takes what else is waiting, within the bounds of a group.
func (w *writer) collect(first *call) []*call {
	w.group = append(w.group[:0], first)
	for weight := first.weight; len(w.group) < groupCalls && weight < groupWeight; {
		select {
		case c, open := <-w.queue:
			if !open {
				return w.group
			}
			w.group = append(w.group, c)
			weight += c.weight
		default:
			return w.group
		}
	}
	return w.group
}

// commit writes a group in one transaction and tells each caller its outcome. An empty group writes only what is
// to be known as relayed, if anything.
func (w *writer) commit(group []*call) {
	group = claim(group)
	marks := w.store.relayed.Pending()
	if len(group) == 0 && len(marks) == 0 {
		return
	}
	journal, err := w.transact(group, marks)
	if err == nil {
		w.store.relayed.Written(marks)
	} else if len(group) == 0 {
		w.store.options.Log.Warn("what is relayed could not be written, and will be tried again", "error", err)
	}
	for _, c := range group {
		if c.result == nil {
			c.result = err
		}
		c.result = w.store.asFault(c.result)
		close(c.done)
	}
	if journal {
		w.store.watchers.Notify()
	}
}

// claim leaves out the calls whose callers have gone.
func claim(group []*call) []*call {
	kept := group[:0]
	for _, c := range group {
		if c.state.CompareAndSwap(waiting, taken) {
			kept = append(kept, c)
		}
	}
	return kept
}

// transact runs the calls in one transaction. The error is one that keeps all of them from being written; a call
// that fails alone has it in its result.
func (w *writer) transact(group []*call, marks map[int]uint64) (journal bool, err error) {
	t, err := begin(w.conn, w.store)
	if err != nil {
		return false, err
	}
	for _, c := range group {
		if err := t.run(c, len(group) > 1); err != nil {
			return false, t.rollback(err)
		}
	}
	if err := t.mark(marks); err != nil {
		return false, t.rollback(err)
	}
	_, err = w.conn.exec("COMMIT")
	w.store.records.forget(t.changed) // whatever came of it
	if err != nil {
		return false, t.rollback(err)
	}
	return t.journal, nil
}

// poll looks whether another connection has changed the file since the last look; commits of this one don't count.
func (w *writer) poll() {
	version, _, err := w.conn.integer(dataVersion)
	if err != nil {
		w.store.options.Log.Warn("the store can't be asked for changes by others", "error", err)
		return
	}
	if version != w.version {
		w.version = version
		w.store.watchers.Notify()
	}
}

// timer is a time.Timer that knows whether it runs.
type timer struct {
	*time.Timer
	every   time.Duration
	running bool
}

func newTimer(every time.Duration) *timer {
	t := &timer{Timer: time.NewTimer(every), every: every}
	t.stop()
	return t
}

func (t *timer) start() {
	if !t.running {
		t.Reset(t.every)
		t.running = true
	}
}

func (t *timer) stop() {
	t.Stop()
	t.running = false
}
