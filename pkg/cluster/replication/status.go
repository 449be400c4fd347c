package replication

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// State of a follower.
type State string

// States.
const (
	// Connecting: the primary is looked for, or does not answer; Reason says why.
	Connecting State = "connecting"
	// CatchingUp: a stream is there, and entries are missing.
	CatchingUp State = "catching-up"
	// Live: all that the primary has is here.
	Live State = "live"
	// Stopped: at least one partition does not go on by itself.
	Stopped State = "stopped"
	// Refused: the primary is not followed, and only a person can help; Reason says why.
	Refused State = "refused"
	// Left: the primary said that it leaves.
	Left State = "left"
)

// Status is how a follower stands.
type Status struct {
	State  State  `json:"state"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Primary is who was followed last, nil before the first stream; Address is where.
	Primary *Identity `json:"primary,omitempty"`
	Address string    `json:"address,omitempty"`
	Since   time.Time `json:"since"` // of the stream, or of its end
	Lag     Lag       `json:"lag"`
	// AsOf is the primary's time up to which everything is here.
	AsOf       time.Time   `json:"as_of"`
	Partitions []Following `json:"partitions"`
	// Counted: the primary has said that it counts this secondary, which can take over by force from then on.
	Counted bool `json:"counted"`
	// Missing counts states of steps that the journal names and that are not here; while there are any, a takeover would have
	// to do without them.
	Missing int `json:"missing_states"`
}

// Following is how one partition stands.
type Following struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Head      uint64 `json:"head"` // the primary's
	// Standby: another server of this side, which has the same store, writes it; this one goes on where that one does not.
	Standby bool  `json:"standby,omitempty"`
	Stopped *Stop `json:"stopped,omitempty"`
}

// heard is a beat that this secondary has not caught up with yet.
type heard struct {
	at    time.Time // here
	time  time.Time // there
	heads []uint64
}

// manyHeard bounds what is remembered of beats; the older half is thinned out.
const manyHeard = 128

// view is what is known of the primary. Safe for concurrent use.
type view struct {
	mu      sync.Mutex
	state   State
	err     error
	since   time.Time
	id      *Identity
	address string
	live    bool // a stream is there
	last    heard
	behind  []heard // oldest first
	asOf    heard

	known sync.Map // hashes of templates that are in the store
}

func (v *view) connected(id Identity, address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.id, v.address, v.live, v.since, v.err, v.state = &id, address, true, time.Now().UTC(), nil, CatchingUp
}

// begun tells whether the present stream has said hello.
func (v *view) begun() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.live
}

func (v *view) disconnected(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.live {
		v.live, v.since = false, time.Now().UTC()
	}
	v.behind = nil
	v.state, v.err = Connecting, err
	if v.id != nil && v.id.Leaving {
		v.state = Left
	}
	if d := fault.From(err); d != nil && (d.Disposition == fault.GiveUp || d.Disposition == fault.Reject) {
		v.state = Refused
	}
}

func (v *view) trouble(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

func (v *view) head(partition int) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if partition < len(v.last.heads) {
		return v.last.heads[partition]
	}
	return 0
}

func (v *view) beat(b Beat, partitions []*partition) {
	v.mu.Lock()
	v.last = heard{time.Now(), b.Time, b.Heads}
	v.behind = append(v.behind, v.last)
	if len(v.behind) > manyHeard {
		thin := v.behind[:0]
		for i, h := range v.behind {
			if i%2 == 0 || i > manyHeard/2 {
				thin = append(thin, h)
			}
		}
		v.behind = thin
	}
	if v.id != nil {
		v.id.Epoch, v.id.Leaving, v.id.Time = b.Epoch, b.Leaving, b.Time
		if b.Members != nil {
			v.id.Members = b.Members
		}
	}
	v.mu.Unlock()
	v.caught(partitions)
}

// caught finds the latest beat of which everything is here.
func (v *view) caught(partitions []*partition) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.behind) > 0 && lacks(v.behind[0].heads, partitions) == 0 {
		v.asOf, v.behind = v.behind[0], v.behind[1:]
	}
}

func lacks(heads []uint64, partitions []*partition) (entries uint64) {
	for n, p := range partitions {
		if has := p.applied.Load(); n < len(heads) && heads[n] > has {
			entries += heads[n] - has
		}
	}
	return entries
}

// template gives one that has to be written, nil where it is here already, or lost.
func (v *view) template(s *session, hash string) (*store.TemplateRecord, error) {
	if _, known := v.known.Load(hash); known {
		return nil, nil //nolint:nilnil // there is nothing to write
	}
	_, err := s.f.Store.Template(s.ctx, hash)
	if err == nil {
		v.known.Store(hash, struct{}{})
		return nil, nil //nolint:nilnil // there is nothing to write
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return s.fetchTemplate(hash)
}

// Lag is how far this secondary is behind.
func (f *Follower) Lag() Lag {
	f.view.mu.Lock()
	defer f.view.mu.Unlock()
	return f.lag()
}

func (f *Follower) lag() Lag {
	v := &f.view
	lag := Lag{Known: !v.asOf.at.IsZero(), Entries: lacks(v.last.heads, f.partitions)}
	if v.asOf.at.IsZero() {
		return lag
	}
	silent := !v.live || time.Since(v.last.at) > 3*f.Beat
	if lag.Entries > 0 || silent {
		lag.Seconds = time.Since(v.asOf.at).Seconds()
	}
	return lag
}

// Status is cheap.
func (f *Follower) Status() Status {
	v := &f.view
	v.mu.Lock()
	defer v.mu.Unlock()
	s := Status{State: v.state, Address: v.address, Since: v.since, Lag: f.lag(), AsOf: v.asOf.time}
	if v.id != nil {
		id := *v.id
		s.Primary = &id
		s.Counted = f.Knows != nil && f.Knows(id.Epoch) > 0
	}
	for n, p := range f.partitions {
		at := Following{Partition: n, Seq: p.applied.Load(), Standby: p.standby.Load(), Stopped: p.halted()}
		if n < len(v.last.heads) {
			at.Head = v.last.heads[n]
		}
		s.Missing += int(p.lacking.Load())
		s.Partitions = append(s.Partitions, at)
		if at.Stopped != nil && v.live {
			s.State, s.Code, s.Reason = Stopped, at.Stopped.Code, at.Stopped.Reason
		}
	}
	if v.err != nil {
		e := fault.From(v.err)
		s.Code, s.Reason = string(e.Code), e.Message
	}
	if s.State == CatchingUp && s.Lag.Known && s.Lag.Entries == 0 {
		s.State = Live
	}
	return s
}

// said is what the primary is told.
func (f *Follower) said() Report {
	s := f.Status()
	r := Report{Name: f.Self, AsOf: s.AsOf}
	if s.Primary != nil && f.Knows != nil {
		r.Knows = f.Knows(s.Primary.Epoch)
	}
	for _, p := range s.Partitions {
		r.Positions = append(r.Positions, Position{Partition: p.Partition, Seq: p.Seq})
		if p.Stopped != nil {
			r.Stopped = append(r.Stopped, *p.Stopped)
		}
	}
	if f.Members != nil && f.telling.due(f.Beat) {
		r.Members = f.Members()
	}
	return r
}

// every is due once in a while. Safe for concurrent use.
type every struct {
	mu   sync.Mutex
	last time.Time
}

func (e *every) due(after time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if now.Sub(e.last) < after {
		return false
	}
	e.last = now
	return true
}

// Positions are where the journal ends here, with marks, to be held against the other side's.
func (f *Follower) Positions(ctx context.Context) ([]Position, error) {
	var all []Position
	for n := range f.partitions {
		at, err := Head(ctx, f.Store, n)
		if err != nil {
			return nil, err
		}
		all = append(all, at)
	}
	return all, nil
}
