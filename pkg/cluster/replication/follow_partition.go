package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/memory"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// waitingPages is how many pages of a partition wait to be written, and batchEntries how many entries go into one
	// transaction while a secondary catches up.
	waitingPages = 4
	batchEntries = 2048
	batchBytes   = 16 << 20
)

// partition is one as the follower writes it. Memory and missing belong to whoever runs write.
type partition struct {
	f      *Follower
	number int
	memory *memory.Partition // nil: it has to be loaded
	// missing are states that the journal names and that were not sent: the primary had newer ones already, or none.
	missing map[[2]string]string
	lacking atomic.Int64

	applied atomic.Uint64 // seq of the last entry that is written
	relayed atomic.Uint64 // of the primary
	pages   chan []byte
	wake    chan struct{}

	standby       atomic.Bool // another server of this side writes it
	moved, looked time.Time   // when that one was seen to go on, and was looked at; they belong to whoever runs write

	mu      sync.Mutex
	stopped *Stop
	parted  *Stop // it is to be found out what becomes of what only this side has
}

// prepare loads what is not in memory, and says where to go on.
func (p *partition) prepare(ctx context.Context) (Position, error) {
	p.pages, p.wake = make(chan []byte, waitingPages), make(chan struct{}, 1)
	p.standby.Store(false)
	p.mu.Lock()
	p.stopped, p.parted = nil, nil // the other side looks again
	p.mu.Unlock()
	head, err := p.f.Store.Head(ctx, p.number)
	if err != nil {
		return Position{}, err
	}
	if p.memory == nil || p.memory.Seq != head.Seq || p.memory.Chain != head.Chain {
		if p.memory, err = memory.Load(ctx, p.f.Store, p.number); err != nil {
			return Position{}, err
		}
		p.memory.CheckpointEvery = p.f.Checkpoint
		if err := p.look(ctx); err != nil {
			return Position{}, err
		}
	}
	p.applied.Store(p.memory.Seq)
	return At(ctx, p.f.Store, p.number, p.memory.Seq)
}

// hand gives a page to the writer, and waits while enough of them wait.
func (p *partition) hand(s *session, data []byte) error {
	select {
	case p.pages <- data:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

func (p *partition) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *partition) stop(code fault.Code, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped == nil {
		p.stopped = &Stop{p.number, string(code), reason}
		p.f.Log.Error("a partition is not followed any more; nothing of it is overwritten", "partition", p.number, "code", code, "reason", reason)
	}
}

func (p *partition) halted() *Stop {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// write writes what comes until the stream ends.
func (p *partition) write(s *session) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case data, open := <-p.pages:
			if !open {
				return
			}
			p.settle(s, p.batch(s, data))
		case <-p.wake:
			if why := p.takeParted(); why != nil {
				p.part(s, *why)
				continue
			}
			p.settle(s, p.rest(s))
		}
	}
}

// settle does what follows from how a write has ended.
func (p *partition) settle(s *session, err error) {
	switch {
	case err == nil:
	case errors.Is(err, store.ErrConflict) && s.lent == nil:
		p.stand()
	default:
		p.fail(s, err)
	}
}

// fail ends the stream, or only this partition where the entries themselves are wrong. What is in memory is loaded again.
func (p *partition) fail(s *session, err error) {
	p.memory = nil
	if s.ctx.Err() != nil {
		return
	}
	if fault.Is(err, Diverged) {
		p.stop(Diverged, fault.From(err).Message)
		return
	}
	switch {
	case errors.Is(err, store.ErrConflict):
		err = fault.Wrap(err, fault.Wait, fault.Conflict, "another server writes partition %d into the same store", p.number)
	case errors.Is(err, store.ErrStaleEpoch):
		err = fault.Wrap(err, fault.GiveUp, fault.StaleEpoch, "a higher epoch than the primary's is in force here: this cluster has taken over")
	}
	s.cancel(err)
}

// batch writes a page, and those that wait behind it, in one transaction.
func (p *partition) batch(s *session, data []byte) error {
	if p.standby.Load() {
		return p.see(s)
	}
	if p.halted() != nil || p.memory == nil {
		return nil
	}
	b := store.Batch{Partition: p.number, Epoch: s.epoch.Load()}
	for size := 0; ; {
		if err := p.add(s, &b, data); err != nil {
			return err
		}
		if size += len(data); len(b.Entries) >= batchEntries || size >= batchBytes {
			break
		}
		select {
		case more, open := <-p.pages:
			if open {
				data = more
				continue
			}
		default:
		}
		break
	}
	return p.commit(s, b)
}

// add takes a page into a batch: every entry has to follow on the one before, by number, chain and what it says.
func (p *partition) add(s *session, b *store.Batch, data []byte) error {
	var pg page
	if err := decode(kindPage, data, &pg); err != nil {
		return err
	}
	seq, chain := p.memory.Seq, p.memory.Chain
	if n := len(b.Entries); n > 0 {
		seq, chain = b.Entries[n-1].Seq, b.Entries[n-1].Chain
	}
	for _, e := range pg.Entries {
		seq++
		if e.Partition != p.number || e.Seq != seq {
			return fault.New(fault.Retry, fault.Unreadable, "the stream has entry %d of partition %d where entry %d of partition %d has to be", e.Seq, e.Partition, seq, p.number)
		}
		if e.Chain != "" && e.Chain != store.Link(chain, e) {
			return fault.New(fault.GiveUp, Diverged, "entry %d has another checksum than this secondary's journal and the entry give: the primary's journal was altered", e.Seq)
		}
		chain, b.Epoch = e.Chain, max(b.Epoch, e.Epoch)
		if err := p.templates(s, b, e); err != nil {
			return err
		}
		if err := p.memory.Take(s.ctx, e); err != nil {
			return unlessEnded(s.ctx, err, e)
		}
		if err := p.keep(s.ctx, b, e, pg.States); err != nil {
			return err
		}
		b.Entries = append(b.Entries, e)
	}
	return nil
}

// unlessEnded makes of a fact that can't follow what it means; what the store says stays as it is.
func unlessEnded(ctx context.Context, err error, e store.Entry) error {
	var f *fault.Error
	if ctx.Err() != nil || !errors.As(err, &f) || f.Disposition != fault.GiveUp {
		return err
	}
	return fault.Wrap(err, fault.GiveUp, Diverged, "entry %d (%s of %s) can't follow on what is here: %s", e.Seq, e.Type, e.Environment, f.Message)
}

// commit writes a batch. While the store can't be used it is held, and tried again.
func (p *partition) commit(s *session, b store.Batch) error {
	if len(b.Entries) == 0 {
		return nil
	}
	if err := p.memory.Fill(&b); err != nil {
		return err
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := p.f.Store.Append(s.ctx, b)
		if err == nil {
			break
		}
		if s.ctx.Err() != nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrStaleEpoch) {
			return err
		}
		p.f.view.trouble(fmt.Errorf("the store can't be used: %w", err))
		p.f.Log.Error("the store can't be used; what came is held and tried again", "partition", p.number, "error", err)
		_ = resilience.Pause(s.ctx, wait)
	}
	p.memory.Committed(b)
	p.applied.Store(p.memory.Seq)
	p.count()
	p.f.view.caught(p.f.partitions)
	p.f.wrote()
	return nil
}

// templates fetches those that an entry names and that are not here.
func (p *partition) templates(s *session, b *store.Batch, e store.Entry) error {
	for _, hash := range history.Templates(e) {
		t, err := p.f.view.template(s, hash)
		if err != nil {
			return err
		}
		if t != nil {
			b.Templates = append(b.Templates, *t)
		}
	}
	return nil
}
