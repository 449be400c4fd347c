package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/memory"
)

// Bounds of one partition: how much its owner holds unacknowledged, and decides on at once.
const (
	partitionPrefetch = 1024
	maxBatch          = 512
)

// partition is one partition as this server sees it. Everything but heard and the channels belongs to its loop.
type partition struct {
	*Orchestrator
	number int
	inbox  chan bus.Delivery
	void   chan struct{} // has a value when deliveries handed out before will come again
	done   chan struct{}
	quit   chan struct{}
	once   sync.Once
	sub    bus.Subscription // guarded by subscribed, since a partition may be left and joined again
	relay  *relay
	heard  atomic.Int64 // Unix time in ns of the last tick

	subscribed sync.Mutex
	closed     bool
	started    bool

	memory  *memory.Partition             // nil: it has to be loaded
	states  map[string]*environment.State // of memory
	busy    map[string]struct{}
	watches watches
	looks   looks
	room    chan struct{} // has a value when there may be room for a look
}

func newPartition(x *Orchestrator, number int) *partition {
	p := &partition{Orchestrator: x, number: number, inbox: make(chan bus.Delivery, partitionPrefetch),
		void: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{}), quit: make(chan struct{})}
	p.relay = newRelay(x, number)
	return p
}

func (p *partition) start(ctx context.Context) error {
	p.relay.start()
	p.started = true
	go p.loop()
	return p.consume(ctx)
}

// consume joins the line of servers that consume the partition's queue; the caller holds subscribed, or is alone.
func (p *partition) consume(ctx context.Context) error {
	sub, err := p.Bus.Consume(ctx, bus.ConsumeOptions{Queue: bus.Partition(p.number), Prefetch: partitionPrefetch, Lost: p.lost},
		func(d bus.Delivery) {
			select {
			case p.inbox <- d:
			case <-p.quit:
			}
		})
	if err != nil {
		return fmt.Errorf("consume %s: %w", bus.Partition(p.number), err)
	}
	p.sub = sub
	return nil
}

// isOwned tells whether this server has heard a tick of the partition lately.
func (p *partition) isOwned() bool { return time.Since(time.Unix(0, p.heard.Load())) < 3*time.Second }

// unsubscribe ends deliveries for good.
func (p *partition) unsubscribe(ctx context.Context) error {
	p.subscribed.Lock()
	defer p.subscribed.Unlock()
	p.closed = true
	if p.sub == nil {
		return nil
	}
	return p.sub.Stop(ctx)
}

// leave lets the next server in line have the partition, and goes to the end of the line.
func (p *partition) leave(ctx context.Context) error {
	p.subscribed.Lock()
	defer p.subscribed.Unlock()
	if p.closed {
		return nil
	}
	if err := p.sub.Stop(ctx); err != nil {
		return err
	}
	p.heard.Store(0)
	p.lost() // what is in the inbox is decided on first; whoever is next is fenced from it, or fences it
	return p.consume(ctx)
}

// stop decides on what is in the inbox, then waits for the relay.
func (p *partition) stop(ctx context.Context) error {
	err := p.unsubscribe(ctx)
	if p.started {
		p.once.Do(func() { close(p.quit) })
		<-p.done
	}
	return errors.Join(err, p.relay.stop(ctx))
}

func (p *partition) lost() {
	select {
	case p.void <- struct{}{}:
	default:
	}
}

// loop decides on what comes, as much at a time as is waiting, and wakes for backoffs that have passed.
func (p *partition) loop() {
	defer close(p.done)
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		select {
		case d := <-p.inbox:
			p.process(p.take(d))
		case <-wake.C:
			p.process(nil)
		case <-p.room:
			p.process(nil)
		case <-p.void:
			p.forget()
		case <-p.quit:
			p.drain()
			return
		}
		wake.Reset(p.untilWake())
	}
}

func (p *partition) take(first bus.Delivery) []bus.Delivery {
	batch := []bus.Delivery{first}
	for len(batch) < maxBatch {
		select {
		case d := <-p.inbox:
			batch = append(batch, d)
		default:
			return batch
		}
	}
	return batch
}

func (p *partition) drain() {
	for {
		select {
		case d := <-p.inbox:
			p.process(p.take(d))
		default:
			return
		}
	}
}

func (p *partition) untilWake() time.Duration {
	now := time.Now()
	next := now.Add(time.Hour)
	for name := range p.busy {
		if t := p.states[name].Wake(now); !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return max(time.Until(next), 0)
}

// forget drops what is in memory: the journal is ahead of it, or may be.
func (p *partition) forget() {
	p.memory, p.states, p.busy = nil, nil, nil
	p.watches = watches{}
	p.forgetLooks()
	p.relay.reset()
}

// load reads the partition.
func (p *partition) load(ctx context.Context) error {
	p.forget()
	m, err := memory.Load(ctx, p.Store, p.number)
	if err != nil {
		return err
	}
	p.memory, p.states, p.busy = m, m.States, map[string]struct{}{}
	for name, s := range p.states {
		if s.Busy() {
			p.busy[name] = struct{}{}
		}
	}
	p.relay.resume(m.Relayed, m.Seq)
	p.Log.Debug("partition loaded", "partition", p.number, "seq", m.Seq, "environments", len(p.states), "busy", len(p.busy))
	return nil
}
