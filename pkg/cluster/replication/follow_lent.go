package replication

import (
	"context"
	"errors"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

var (
	errLent    = fault.New(fault.Retry, fault.Unavailable, "another secondary is asked for what this one lacks")
	errHasThem = errors.New("all that was lent is here")
)

// CatchUp takes from another secondary, which has to lend (SourceOptions.Lends), the entries up to these positions, by partition, that this
// one lacks: where a primary is lost, each of two may have some that the other has not. Nobody else is followed meanwhile. It returns once all of
// that is in the store. Where the journals have parted it fails, and what is here stays as it is. It is safe for concurrent use.
func (f *Follower) CatchUp(ctx context.Context, address string, positions []uint64) error {
	if len(positions) != len(f.partitions) {
		return fault.New(fault.Reject, fault.Invalid, "the secondary at %s has %d partitions, and this one %d", address, len(positions), len(f.partitions))
	}
	f.lent.Add(1)
	defer f.lent.Add(-1)
	if end := f.current.Load(); end != nil {
		(*end)(errLent)
	}
	f.streaming.Lock()
	defer f.streaming.Unlock()
	epoch, err := f.Store.Epoch(ctx)
	if err != nil {
		return err
	}
	s := &session{f: f, remote: &remote{address, f.Token, f.Client}, since: time.Now(), lent: make([]bool, len(positions))}
	s.epoch.Store(epoch)
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	defer context.AfterFunc(f.run, func() { s.cancel(fault.New(fault.Wait, fault.Unavailable, "this secondary is stopping")) })()
	in := Request{Name: f.Self}
	for n, p := range f.partitions {
		at, err := p.prepare(s.ctx)
		if err != nil {
			return err
		}
		if s.lent[n] = at.Seq < positions[n]; !s.lent[n] { // a place that both have
			if at, err = At(s.ctx, f.Store, n, positions[n]); err != nil {
				return err
			}
		}
		in.Positions = append(in.Positions, at)
	}
	return s.borrow(in, positions)
}

// borrow reads the stream until all is here.
func (s *session) borrow(in Request, positions []uint64) error {
	lines, body, err := s.remote.open(s.ctx, in)
	if err != nil {
		return err
	}
	for _, p := range s.f.partitions {
		s.work.Go(func() { p.write(s) })
	}
	s.work.Go(func() { s.await(positions) })
	err = s.read(lines, body)
	s.cancel(err)
	s.work.Wait()
	_ = body.Close()
	if cause := context.Cause(s.ctx); !errors.Is(cause, errHasThem) {
		return fault.From(cause)
	}
	return nil
}

// await ends the session once everything is here, or a partition can't go on.
func (s *session) await(positions []uint64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := false
		for n, p := range s.f.partitions {
			if stop := p.halted(); stop != nil {
				s.cancel(fault.New(fault.GiveUp, Diverged, "partition %d: %s", n, stop.Reason))
				return
			}
			missing = missing || p.applied.Load() < positions[n]
		}
		if !missing {
			s.cancel(errHasThem)
			return
		}
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// takeLent is take for what a secondary lends: it is no primary, so nothing that it says of itself counts.
func (s *session) takeLent(number int, data []byte) error {
	if number < 0 || number >= len(s.lent) {
		return fault.New(fault.Retry, fault.Unreadable, "the stream has entries of a partition %d", number)
	}
	if !s.lent[number] {
		return nil
	}
	return s.f.partitions[number].hand(s, data)
}

// hello holds who lends against who this is.
func (s *session) hello(id Identity) error {
	f := s.f
	switch key := f.KeyID(); {
	case f.Primary != "" && id.Cluster != f.Primary, key != "" && key != id.KeyID:
		return fault.New(fault.GiveUp, fault.Conflict, "the server at %s is of another cluster", s.remote.address)
	case id.Partitions != f.Partitions:
		return fault.New(fault.GiveUp, fault.Invalid, "the server at %s has %d partitions, and this one %d", s.remote.address, id.Partitions, f.Partitions)
	}
	return nil
}

// gives is nil where this server has something to give: it is the primary, or lends to another secondary.
func (s *Source) gives(ctx context.Context) error {
	if s.Lends != nil && s.Lends(ctx) {
		return nil
	}
	return s.isPrimary()
}

// lent refuses what neither a primary nor who lends has to give.
func (s *Source) lent(next func(*asked) (any, error)) func(*asked) (any, error) {
	return func(a *asked) (any, error) {
		if err := s.gives(a.Context()); err != nil {
			return nil, err
		}
		return next(a)
	}
}
