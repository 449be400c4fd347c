package membership

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/service"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	defaultLook = 500 * time.Millisecond
	// silent is how long a secondary that joins is waited for after its last word.
	silent = 10 * time.Second
)

// Options of a Membership. Store, Lease and Epoch are required.
type Options struct {
	Store interface {
		store.Counting
		Head(ctx context.Context, partition int) (store.Head, error)
	}
	Partitions int
	// Epoch is this primary's.
	Epoch uint64
	// Lease is kept to what is counted.
	Lease *authority.Lease
	// Every is how often it is looked what other servers of this side have counted; half a second unless set.
	Every time.Duration
	Log   *slog.Logger
}

// Membership is a service.Service; all methods are safe for concurrent use.
type Membership struct {
	Options

	mu    sync.Mutex
	known store.Secondaries
	floor []uint64           // by partition: what was written when known was seen first
	since time.Time          // when that was
	heard map[string]Reading // by name

	nudged  chan struct{}
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Reading is what a secondary has said last.
type Reading struct {
	store.Secondary
	// Knows is the version of the secondaries that it knows to be counted.
	Knows uint64
	at    time.Time
}

var _ service.Service = (*Membership)(nil)

// New makes one that knows of nobody before Start.
func New(o Options) *Membership {
	if o.Every <= 0 {
		o.Every = defaultLook
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Membership{Options: o, heard: map[string]Reading{}, nudged: make(chan struct{}, 1)}
}

// Start looks who is counted, so that nothing is done without them.
func (m *Membership) Start(ctx context.Context) error {
	if _, err := m.Look(ctx); err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	m.running.Go(func() { m.follow(run) })
	return nil
}

// Stop ends it. Stopping twice, or before Start, is harmless.
func (m *Membership) Stop(context.Context) error {
	if m.cancel != nil {
		m.cancel()
		m.running.Wait()
	}
	return nil
}

func (m *Membership) follow(ctx context.Context) {
	tick := time.NewTicker(m.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-m.nudged:
		}
		err := m.advance(ctx)
		for errors.Is(err, store.ErrConflict) {
			err = m.advance(ctx) // another server of this side was faster
		}
		if err != nil && ctx.Err() == nil {
			m.Log.Warn("it can't be seen which secondaries this side counts", "error", err)
		}
	}
}

// Look reads who is counted now, and has the lease ask them. What was written before this was called is with those that are counted later.
func (m *Membership) Look(ctx context.Context) (store.Secondaries, error) {
	found, err := m.Store.Secondaries(ctx)
	if err != nil {
		return found, err
	}
	if found.Epoch != m.Epoch {
		found = store.Secondaries{Epoch: m.Epoch, Version: found.Version}
	}
	return found, m.take(ctx, found)
}

func (m *Membership) take(ctx context.Context, found store.Secondaries) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found.Version < m.known.Version || found.Version == m.known.Version && m.floor != nil {
		return nil
	}
	floor := make([]uint64, m.Partitions)
	for p := range floor {
		head, err := m.Store.Head(ctx, p)
		if err != nil {
			return err
		}
		floor[p] = head.Seq
	}
	m.known, m.floor, m.since = found, floor, time.Now()
	m.Lease.Ask(found.Names()...)
	return nil
}

// Heard takes the word of a secondary, and what the primary had said by then, as Lease.Heard does.
func (m *Membership) Heard(r Reading, said time.Time) {
	m.Lease.Heard(r.Name, said)
	m.mu.Lock()
	defer m.mu.Unlock()
	r.at = time.Now()
	m.heard[r.Name] = r
	if m.known.Joining != nil || !slices.Contains(m.known.Names(), r.Name) {
		select {
		case m.nudged <- struct{}{}:
		default:
		}
	}
}

// Tell is what a secondary that has so many entries of the partitions may know: who is counted, and who joins, by the version. Nothing, where it
// lacks what was written before, or is not counted itself.
func (m *Membership) Tell(to store.Secondary, has func(partition int) uint64) (version uint64, all []store.Secondary) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !among(m.known.Counted, to) {
		return 0, nil
	}
	for p, seq := range m.floor {
		if has(p) < seq {
			return 0, nil
		}
	}
	all = slices.Clone(m.known.Counted)
	if m.known.Joining != nil {
		all = append(all, *m.known.Joining)
	}
	return m.known.Version, all
}

// Counts tells whether a secondary is counted, as far as this server knows.
func (m *Membership) Counts(one store.Secondary) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return among(m.known.Counted, one)
}

// Forget has this side do without a secondary that it counts, or that joins; name is its name, or what is behind the slash of that. It returns
// which that is, and the others. Errors: fault.NotFound, or the store's.
func (m *Membership) Forget(ctx context.Context, name string) (member string, left []string, err error) {
	for {
		s, err := m.Look(ctx)
		if err != nil {
			return "", nil, err
		}
		is := func(o store.Secondary) bool { return o.Name == name || strings.HasSuffix(o.Name, "/"+name) }
		next := s
		next.Counted = slices.DeleteFunc(slices.Clone(s.Counted), func(o store.Secondary) bool {
			if is(o) {
				member = o.Name
			}
			return is(o)
		})
		if s.Joining != nil && is(*s.Joining) {
			member, next.Joining = s.Joining.Name, nil
		}
		if member == "" {
			return "", nil, fault.New(fault.Reject, fault.NotFound, "%q is none of the secondaries that have to be heard: %s", name, strings.Join(s.Names(), ", "))
		}
		m.unhear(member)
		if err := m.count(ctx, s.Version, next); !errors.Is(err, store.ErrConflict) {
			return member, next.Names(), err
		}
	}
}

// unhear drops what a secondary has said: it has to be heard again to count.
func (m *Membership) unhear(member string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.heard, member)
}

// advance takes the next step of whoever joins.
func (m *Membership) advance(ctx context.Context) error {
	s, err := m.Look(ctx)
	if err != nil {
		return err
	}
	heard, long := m.lately()
	next, change := next(s, heard, long)
	if !change {
		return nil
	}
	return m.count(ctx, s.Version, next)
}

// count writes it, with a version that is higher also than those of a store that was replaced by an older one.
func (m *Membership) count(ctx context.Context, was uint64, s store.Secondaries) error {
	s.Epoch, s.Version = m.Epoch, max(was+1, uint64(time.Now().UnixMicro())) //nolint:gosec // after 1970
	if err := m.Store.Count(ctx, was, s); err != nil {
		return err
	}
	m.Log.Info("the secondaries that this side counts are others", "counted", s.Names(), "joining", s.Joining)
	_, err := m.Look(ctx)
	return err
}

// lately is what was heard not long ago, by name. long: who joins could have been heard here since it does, also where another server has heard it first.
func (m *Membership) lately() (all []Reading, long bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, r := range m.heard {
		if time.Since(r.at) > silent {
			delete(m.heard, name)
			m.Lease.Forget(name)
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Reading) int { return strings.Compare(a.Name, b.Name) })
	return all, time.Since(m.since) > silent
}

// next is what follows on what is counted, by what the secondaries say. Who joins and is not heard for long has gone again.
func next(s store.Secondaries, heard []Reading, long bool) (store.Secondaries, bool) {
	if s.Joining != nil && long && !slices.ContainsFunc(heard, func(r Reading) bool { return r.Name == s.Joining.Name }) {
		s.Joining = nil
		return s, true
	}
	if s.Joining == nil {
		at := slices.IndexFunc(heard, func(r Reading) bool { return !slices.Contains(s.Names(), r.Name) })
		if at < 0 {
			return s, false
		}
		joining := heard[at].Secondary
		if s.Joining = &joining; len(s.Counted) > 0 {
			return s, true
		}
	}
	if !known(s, heard) {
		return s, false
	}
	s.Counted = append(slices.Clone(s.Counted), *s.Joining)
	slices.SortFunc(s.Counted, func(a, b store.Secondary) int { return strings.Compare(a.Name, b.Name) })
	s.Joining = nil
	return s, true
}

// known tells whether all that are counted know of the one that joins, or have one store with who does.
func known(s store.Secondaries, heard []Reading) bool {
	knowing := []store.Secondary{*s.Joining}
	for _, r := range heard {
		if r.Knows >= s.Version {
			knowing = append(knowing, r.Secondary)
		}
	}
	return !slices.ContainsFunc(s.Counted, func(c store.Secondary) bool { return !among(knowing, c) })
}

// among tells whether a secondary, or one of its side, is one of them.
func among(all []store.Secondary, one store.Secondary) bool {
	return slices.ContainsFunc(all, func(o store.Secondary) bool { return o.Name == one.Name || one.Side != "" && o.Side == one.Side })
}
