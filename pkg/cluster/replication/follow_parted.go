package replication

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/memory"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// hold keeps a partition from being written until it is known what becomes of the entries that only this side has.
func (p *partition) hold(s *session, why Stop) {
	s.parting.Add(1)
	p.mu.Lock()
	p.stopped, p.parted = &why, &why
	p.mu.Unlock()
	p.nudge()
}

func (p *partition) takeParted() *Stop {
	p.mu.Lock()
	defer p.mu.Unlock()
	why := p.parted
	p.parted = nil
	return why
}

// part sets aside what the primary never had, where its journal is the one that counts; otherwise the partition stops. Once
// nothing more is to be set aside, the stream begins anew from the common points.
func (p *partition) part(s *session, why Stop) {
	switch err := p.rejoin(s, why); {
	case err == nil:
		s.rejoins.Store(true)
	case fault.Is(err, Diverged):
		p.mu.Lock()
		p.stopped = nil
		p.mu.Unlock()
		p.stop(Diverged, fault.From(err).Message)
	default:
		p.fail(s, err)
	}
	if s.parting.Add(-1) == 0 && s.rejoins.Load() {
		s.cancel(fault.New(fault.Retry, Diverged, "entries that the primary never had are set aside; it is followed from the common point on"))
	}
}

// rejoin takes the journal back to what it has in common with the primary's.
func (p *partition) rejoin(s *session, why Stop) error {
	last, err := p.last(s.ctx)
	if err != nil {
		return err
	}
	common, err := p.common(s, last.Seq)
	if err != nil {
		return err
	}
	if err := p.overtaken(s, why, common, last); err != nil {
		return err
	}
	c, err := p.cut(s.ctx, common, last)
	if err != nil {
		return err
	}
	c.Epoch = s.epoch.Load()
	c.Aside.Overtaken, c.Aside.Primary = c.Epoch, s.remote.address
	p.memory = nil
	if err := p.f.Store.CutBack(s.ctx, c); err != nil {
		return err
	}
	p.f.Log.Warn("entries that the primary never had are set aside: vivarium cluster divergence shows them", "partition", p.number,
		"id", c.Aside.ID, "entries", c.Aside.Last-c.Aside.First+1, "environments", len(c.Aside.Environments), "states", len(c.Aside.States))
	return nil
}

// last is the last entry here.
func (p *partition) last(ctx context.Context) (Placed, error) {
	head, err := p.f.Store.Head(ctx, p.number)
	if err != nil {
		return Placed{}, err
	}
	at, err := place(ctx, p.f.Store, p.number, head.Seq)
	if err == nil && at.Mark != "" {
		return at, nil
	}
	return at, fault.Wrap(err, fault.Retry, fault.Unavailable, "the last entry of partition %d can't be read", p.number)
}

// common is the last entry that both journals have, by its mark; seq 0 where there is none. Marks are of all up to an entry, so
// those up to some place are the same, and none behind it.
func (p *partition) common(s *session, last uint64) (Position, error) {
	var err error
	n := sort.Search(int(last), func(i int) bool { //nolint:gosec // less than 2^48
		if err != nil {
			return true
		}
		var same bool
		same, err = p.f.same(s, p.number, uint64(i)+1) //nolint:gosec // not negative
		return !same
	})
	if err != nil {
		return Position{}, err
	}
	return At(s.ctx, p.f.Store, p.number, uint64(n)) //nolint:gosec // not negative
}

// same tells whether an entry is the same on both sides.
func (f *Follower) same(s *session, partition int, seq uint64) (bool, error) {
	here, err := At(s.ctx, f.Store, partition, seq)
	if err != nil || here.Mark == "" {
		return false, err
	}
	there, err := s.remote.Mark(s.ctx, partition, seq)
	return there.Mark == here.Mark, err
}

// overtaken is nil when what is behind the common entry was overtaken: by entries of a higher epoch than the last one here has, under
// which another side has acted since. Nothing else is ever set aside: not for a primary that was restored, altered, or is another cluster's.
func (p *partition) overtaken(s *session, why Stop, common Position, last Placed) error {
	kin, err := p.f.kin(s, common)
	if err != nil {
		return err
	}
	if !kin {
		return fault.New(fault.GiveUp, Diverged, "%s; no entry is the same on both sides: it is another cluster's. Nothing is set aside: "+
			"follow the right primary, or begin with an empty store", why.Reason)
	}
	next, err := s.remote.Mark(s.ctx, p.number, common.Seq+1)
	if err != nil {
		return err
	}
	epoch := next.Epoch
	if next.Mark == "" {
		epoch = s.epoch.Load()
	}
	if epoch <= last.Epoch {
		return fault.New(fault.GiveUp, Diverged, "%s; both are the same up to entry %d, and the primary has no higher epoch behind it (%d here, %d there), "+
			"so nothing is set aside: look which side has what happened, and begin the other one anew with a backup of it", why.Reason, common.Seq, last.Epoch, epoch)
	}
	return nil
}

// kin tells whether the journals of both sides have anything in common, in whichever partition.
func (f *Follower) kin(s *session, common Position) (bool, error) {
	if common.Seq > 0 {
		return true, nil
	}
	for n := range f.partitions {
		if same, err := f.same(s, n, 1); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// cut says what is set aside behind an entry, and what the entries up to it say of the same environments.
func (p *partition) cut(ctx context.Context, common Position, last Placed) (c store.Cut, err error) {
	c.Aside = store.Aside{ID: fmt.Sprintf("%d-%d-e%d", p.number, common.Seq+1, last.Epoch), Partition: p.number, First: common.Seq + 1, Last: last.Seq,
		Epoch: last.Epoch, Common: common.Mark, Time: time.Now().UTC(), Environments: []store.AsideEnvironment{}}
	counts := map[string]int{}
	for after := common.Seq; after < last.Seq; {
		found, err := p.f.Store.Entries(ctx, store.Selection{Partition: p.number, After: after})
		if err != nil || len(found) == 0 {
			return c, fault.Wrap(err, fault.Retry, fault.Unavailable, "entry %d of partition %d can't be read", after+1, p.number)
		}
		for _, e := range found {
			counts[e.Environment]++
			after = e.Seq
		}
	}
	checkpoint, err := memory.Checkpoint(ctx, p.f.Store, p.number)
	if err != nil {
		return c, err
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if err := p.apart(ctx, &c, name, counts[name], min(checkpoint, common.Seq)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// apart adds an environment to a cut.
func (p *partition) apart(ctx context.Context, c *store.Cut, name string, entries int, checkpoint uint64) error {
	before, err := history.Until(ctx, p.f.Store, p.number, name, c.Aside.First-1)
	if err != nil {
		return err
	}
	after, err := history.Until(ctx, p.f.Store, p.number, name, c.Aside.Last)
	if err != nil {
		return err
	}
	c.Aside.Environments = append(c.Aside.Environments, store.AsideEnvironment{Name: name, Entries: entries, Before: before.State.Status, After: after.State.Status})
	c.Changes.Add(before.Changes)
	kept, err := p.kept(ctx, before)
	if err != nil {
		return err
	}
	c.States = append(c.States, kept...)
	lost, err := p.kept(ctx, after)
	if err != nil {
		return err
	}
	for _, s := range lost {
		c.Aside.States = append(c.Aside.States, store.AsideState{Environment: name, Step: s.Step, Hash: s.Hash, Size: len(s.Data)})
	}
	at, err := history.Until(ctx, p.f.Store, p.number, name, checkpoint)
	if err != nil || at.State.Status == "" {
		return err
	}
	data, err := at.State.Snapshot()
	c.Snapshots = append(c.Snapshots, store.Snapshot{Environment: name, Partition: p.number, Seq: checkpoint, Data: data})
	return err
}

// kept are the states that an environment names and that are here.
func (p *partition) kept(ctx context.Context, past history.Past) (all []store.StepState, err error) {
	named := history.Named(past.State)
	for _, step := range slices.Sorted(maps.Keys(named)) {
		found, err := p.f.Store.State(ctx, past.State.Name, step)
		switch {
		case err == nil && found.Hash == named[step]:
			all = append(all, found)
		case err != nil && !missing(err):
			return nil, err
		}
	}
	return all, nil
}
