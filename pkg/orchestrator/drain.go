package orchestrator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

const (
	// markPatience is how long marks are waited for before others are sent: some may be lost, or come to a server that leaves.
	markPatience = time.Second
	// markPause is between two rounds of marks while something is still in flight.
	markPause = 100 * time.Millisecond
	// lastWord bounds how long the runners' broker is waited for at the end.
	lastWord = 2 * time.Second
)

// Yield takes no more commands and offers no more steps; what is under way goes on. Stop has to follow.
func (x *Orchestrator) Yield(ctx context.Context) error {
	x.draining.Store(true)
	if n := len(x.subs); n > 0 {
		return x.subs[n-1].Stop(ctx) // commands; what is on the bus stays there
	}
	return nil
}

// StepDown hands this side's work over: no command is taken and no step offered any more, what was taken is decided on, what was
// offered may end until ctx does. Then runners are told to stop, and nothing is written any more. It returns how many steps were still
// in flight then; an error says that it is not known of some partitions. Other servers of the side have to yield, and stop. Stop has to
// follow here, too.
func (x *Orchestrator) StepDown(ctx context.Context) (inFlight int, err error) {
	if err = x.Yield(ctx); err == nil {
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

// drain sends marks through the partitions, again and again, until one has come through each with nothing in flight behind it, or ctx
// ends. Since nothing is offered any more, that stays so.
func (x *Orchestrator) drain(ctx context.Context) (inFlight int, err error) {
	x.marks.begin(x.Partitions)
	for number := uint64(1); ; number++ {
		heard := x.marks.next()
		for _, n := range x.marks.open() {
			m := x.message(bus.Address{Key: bus.Partition(n)}, event.TypeOf(event.QueueMark), event.Mark{Server: x.Server, Number: number})
			m.Expires, m.Transient = 10*markPatience, true
			x.send(m, "mark")
		}
		select {
		case <-ctx.Done():
		case <-heard:
			_ = resilience.Pause(ctx, markPause)
		case <-time.After(markPatience):
		}
		inFlight, silent := x.marks.sum()
		switch {
		case inFlight == 0 && silent == 0:
			return 0, nil
		case ctx.Err() != nil && silent > 0:
			return inFlight, fmt.Errorf("%d of %d partitions do not say what they have in flight: %w", silent, x.Partitions, ctx.Err())
		case ctx.Err() != nil:
			return inFlight, nil
		}
	}
}

// marks are what has come back of those that were sent. The zero value is ready; safe for concurrent use.
type marks struct {
	mu       sync.Mutex
	inFlight map[int]int  // by partition; -1: not heard yet
	round    map[int]bool // not heard in this round
	heard    chan struct{}
}

func (m *marks) begin(partitions int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight = map[int]int{}
	for n := range partitions {
		m.inFlight[n] = -1
	}
}

// next begins a round: the channel is closed once a mark has come through every partition that is open.
func (m *marks) next() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard, m.round = make(chan struct{}), map[int]bool{}
	for n, inFlight := range m.inFlight {
		if inFlight != 0 {
			m.round[n] = true
		}
	}
	return m.heard
}

// open are the partitions of which it is not known that nothing is in flight.
func (m *marks) open() (partitions []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.round {
		partitions = append(partitions, n)
	}
	return partitions
}

// passed takes what a partition had in flight when a mark came through it.
func (m *marks) passed(partition, inFlight int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.round[partition] {
		return
	}
	m.inFlight[partition] = inFlight
	if delete(m.round, partition); len(m.round) == 0 {
		close(m.heard)
	}
}

func (m *marks) sum() (inFlight, silent int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.inFlight {
		if n < 0 {
			silent++
		} else {
			inFlight += n
		}
	}
	return inFlight, silent
}

// mark is seen to once the turn is written.
func (t *turn) mark(m event.Mark) error {
	t.marked = t.marked || m.Server == t.p.Server
	return nil
}

// passMark tells who drains what is in flight behind a mark.
func (t *turn) passMark() {
	if !t.marked {
		return
	}
	inFlight := 0
	for name := range t.p.busy {
		t.p.states[name].InFlight(func(*environment.Step) { inFlight++ })
	}
	t.p.marks.passed(t.p.number, inFlight)
}
