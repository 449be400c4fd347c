package orchestrator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

const (
	// markPatience is how long marks are waited for before others are sent: a broker may have lost some.
	markPatience = 5 * time.Second
	// markPause is between two rounds of marks while something is still in flight.
	markPause = 100 * time.Millisecond
	// lastWord bounds how long the runners' broker is waited for at the end.
	lastWord = 2 * time.Second
)

// StepDown hands this side's work over: no command is taken and no step offered any more, what was taken is decided on, what was
// offered may end until ctx does. Then runners are told to stop, and nothing is written any more. It returns how many steps were still
// in flight then; an error says that it is not known of some partitions. Stop has to follow.
func (x *Orchestrator) StepDown(ctx context.Context) (inFlight int, err error) {
	x.draining.Store(true)
	if n := len(x.subs); n > 0 {
		err = x.subs[n-1].Stop(ctx) // commands; what is on the bus stays there
	}
	if err == nil {
		inFlight, err = x.drain(ctx)
	}
	x.authority.end()
	telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	if failed := x.Bus.Publish(telling, x.wordAt(time.Now())); failed != nil {
		x.Log.Warn("runners could not be told that this side may not act any more", "error", failed)
	}
	return inFlight, err
}

// drain sends marks through all partitions until nothing is in flight behind them, or ctx ends.
func (x *Orchestrator) drain(ctx context.Context) (inFlight int, err error) {
	for {
		round, cancel := context.WithTimeout(ctx, markPatience)
		left, err := x.markAll(round)
		cancel()
		switch {
		case err == nil && left == 0:
			return 0, nil
		case err == nil:
			inFlight = left
		}
		select {
		case <-ctx.Done():
			return inFlight, err
		case <-time.After(markPause):
		}
	}
}

// markAll is one round: how many steps are in flight once everything that is in the queues now is decided on.
func (x *Orchestrator) markAll(ctx context.Context) (inFlight int, err error) {
	number, all := x.marks.begin(x.Partitions)
	for n := range x.Partitions {
		m := x.message(bus.Address{Key: bus.Partition(n)}, event.TypeOf(event.QueueMark), event.Mark{Server: x.Server, Number: number})
		m.Expires, m.Transient = 2*markPatience, true
		x.send(m, "mark")
	}
	select {
	case <-all:
	case <-ctx.Done():
	}
	inFlight, silent := x.marks.sum()
	if silent > 0 {
		return inFlight, fmt.Errorf("%d of %d partitions do not say what they have in flight: %w", silent, x.Partitions, ctx.Err())
	}
	return inFlight, nil
}

// marks are those of one round. The zero value is ready; safe for concurrent use.
type marks struct {
	mu       sync.Mutex
	number   uint64
	waiting  map[int]bool
	inFlight int
	all      chan struct{}
}

func (m *marks) begin(partitions int) (number uint64, all <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.number++
	m.waiting, m.inFlight, m.all = map[int]bool{}, 0, make(chan struct{})
	for n := range partitions {
		m.waiting[n] = true
	}
	return m.number, m.all
}

// passed takes what a partition had in flight when a mark came through it.
func (m *marks) passed(number uint64, partition, inFlight int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number != m.number || !m.waiting[partition] {
		return
	}
	delete(m.waiting, partition)
	if m.inFlight += inFlight; len(m.waiting) == 0 {
		close(m.all)
	}
}

func (m *marks) sum() (inFlight, silent int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inFlight, len(m.waiting)
}

// mark is seen to once the turn is written.
func (t *turn) mark(m event.Mark) error {
	if m.Server == t.p.Server {
		t.marked = m.Number
	}
	return nil
}

// passMark tells who drains what is in flight behind a mark.
func (t *turn) passMark() {
	if t.marked == 0 {
		return
	}
	inFlight := 0
	for name := range t.p.busy {
		t.p.states[name].InFlight(func(*environment.Step) { inFlight++ })
	}
	t.p.marks.passed(t.marked, t.p.number, inFlight)
}
