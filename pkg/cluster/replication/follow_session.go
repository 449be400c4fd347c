package replication

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// session is one stream.
type session struct {
	f      *Follower
	remote *remote
	id     Identity // of the reader
	epoch  atomic.Uint64
	since  time.Time
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // the partitions
	// parting counts the partitions of which it is to be found out what becomes of what only this side has; rejoins: something
	// was set aside.
	parting atomic.Int32
	rejoins atomic.Bool
	// lent tells which partitions another secondary lends entries of; nil where a primary is followed.
	lent []bool
}

// worked is how long a stream has to last so that the next one begins without a backoff.
const worked = time.Second

// attend follows a stream until it breaks. Each partition writes for itself; a full one holds up the stream, which bounds memory.
func (f *Follower) attend(ctx context.Context, r *remote, id Identity) error {
	s := &session{f: f, remote: r, id: id, since: time.Now()}
	s.epoch.Store(id.Epoch)
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	in := Request{Name: f.Self}
	for _, p := range f.partitions {
		at, err := p.prepare(s.ctx)
		if err != nil {
			return err
		}
		in.Positions = append(in.Positions, at)
	}
	lines, body, err := r.open(s.ctx, in)
	if err != nil {
		return err
	}
	for _, p := range f.partitions {
		s.work.Go(func() { p.write(s) })
	}
	var reports sync.WaitGroup
	reports.Go(s.report)
	err = s.read(lines, body)
	for _, p := range f.partitions {
		close(p.pages) // what has come is written to the end
	}
	s.work.Wait()
	s.tell(s.ctx)
	s.cancel(err)
	reports.Wait()
	_ = body.Close()
	if cause := context.Cause(s.ctx); cause != nil && ctx.Err() == nil {
		err = cause
	}
	return s.ended(err)
}

// ended decides how soon the next stream begins.
func (s *session) ended(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fault.Wrap(err, fault.Retry, fault.Unavailable, "the primary at %s has ended the stream", s.remote.address)
	case !errors.As(err, new(*fault.Error)) && s.ctx.Err() == nil:
		err = s.remote.away(err)
	}
	if s.f.view.begun() && time.Since(s.since) > worked && fault.From(err).Disposition == fault.Retry {
		s.f.Log.Info("the stream from the primary has ended", "reason", err)
		return nil
	}
	return err
}

// read takes the lines apart and hands them to the partitions.
func (s *session) read(lines *lineReader, body io.Closer) error {
	patience := 3*s.f.Beat + 2*time.Second
	silence := time.AfterFunc(patience, func() {
		s.cancel(fault.New(fault.Retry, fault.Timeout, "the primary at %s is silent", s.remote.address))
	})
	defer silence.Stop()
	stop := context.AfterFunc(s.ctx, func() { _ = body.Close() })
	defer stop()
	for {
		silence.Reset(patience)
		kind, data, err := lines.next()
		if err != nil {
			if s.ctx.Err() != nil {
				return context.Cause(s.ctx)
			}
			return err
		}
		silence.Stop() // while this side is full, the other one may be
		if err := s.take(kind, data); err != nil {
			return err
		}
	}
}

func (s *session) take(kind string, data []byte) error {
	number, isPage := strings.CutPrefix(kind, kindPage)
	switch {
	case isPage:
		n, err := strconv.Atoi(number)
		if err == nil && s.lent != nil {
			return s.takeLent(n, data)
		}
		if err != nil || n < 0 || n >= len(s.f.partitions) {
			return fault.New(fault.Retry, fault.Unreadable, "the stream has entries of a partition %q", number)
		}
		return s.f.partitions[n].hand(s, data)
	case kind == kindHello:
		var id Identity
		if err := decode(kind, data, &id); err != nil {
			return err
		}
		s.id = id
		if s.lent != nil {
			return s.hello(id)
		}
		s.f.view.connected(id, s.remote.address)
		return nil
	case kind == kindBeat && s.lent != nil:
		return nil
	case kind == kindBeat:
		return s.beat(data)
	case kind == kindStop:
		var stop Stop
		if err := decode(kind, data, &stop); err != nil {
			return err
		}
		switch {
		case s.lent != nil:
			return fault.New(fault.GiveUp, fault.Code(stop.Code), "partition %d: %s", stop.Partition, stop.Reason)
		case stop.Partition < 0 || stop.Partition >= len(s.f.partitions):
		case fault.Code(stop.Code) == Diverged:
			s.f.partitions[stop.Partition].hold(s, stop)
		default:
			s.f.partitions[stop.Partition].stop(fault.Code(stop.Code), stop.Reason)
		}
		return nil
	}
	return nil // of a later version
}

func (s *session) beat(data []byte) error {
	var b Beat
	if err := decode(kindBeat, data, &b); err != nil {
		return err
	}
	if len(b.Heads) != len(s.f.partitions) || len(b.Relayed) != len(s.f.partitions) {
		return fault.New(fault.Retry, fault.Unreadable, "a beat of the stream is of %d partitions", len(b.Heads))
	}
	if floor := s.f.Floor(); b.Epoch < floor {
		return fault.New(fault.Wait, fault.StaleEpoch, "this secondary has agreed to a takeover under epoch %d, and follows the primary of epoch %d no more", floor, b.Epoch)
	}
	s.id.Epoch, s.id.Leaving = b.Epoch, b.Leaving
	s.epoch.Store(b.Epoch)
	for n, p := range s.f.partitions {
		p.relayed.Store(b.Relayed[n])
		p.nudge()
	}
	s.f.view.beat(b, s.f.partitions)
	s.f.Heard(s.id, b)
	return nil
}

func decode(kind string, data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fault.Wrap(err, fault.Retry, fault.Unreadable, "a line of the stream (%s) can't be read", kind)
	}
	return nil
}

// report tells the primary how far this secondary is, as long as the stream lasts.
func (s *session) report() {
	tick := time.NewTicker(s.f.Beat)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		case <-s.f.written:
		}
		s.tell(s.ctx)
	}
}

// wrote has the primary told, where it waits for that; what is written while it is being told is told together.
func (f *Follower) wrote() {
	if !f.Prompt {
		return
	}
	select {
	case f.written <- struct{}{}:
	default:
	}
}

func (s *session) tell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var answer struct{}
	if s.epoch.Load() < s.f.Floor() {
		return
	}
	if s.f.Telling != nil {
		s.f.Telling(time.Now())
	}
	if err := s.remote.ask(ctx, http.MethodPost, pathPosition, s.f.said(), &answer); err != nil && s.ctx.Err() == nil {
		s.f.Log.Debug("the primary was not told how far this secondary is", "error", err)
	}
}
