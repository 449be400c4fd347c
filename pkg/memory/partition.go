package memory

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Journal is what a partition is loaded from.
type Journal interface {
	Head(ctx context.Context, partition int) (store.Head, error)
	Entries(ctx context.Context, s store.Selection) ([]store.Entry, error)
	Snapshots(ctx context.Context, partition int, environment string) ([]store.Snapshot, error)
}

// Partition is one partition. It belongs to one goroutine.
type Partition struct {
	Number int
	// Seq and Chain are of the last entry that is taken in and written; Relayed is how far it was published when it was loaded.
	Seq     uint64
	Chain   string
	Relayed uint64
	// CheckpointEvery is how many entries are written between two checkpoints, at least; 2,000 unless set.
	CheckpointEvery int
	// States by name. One that is not here may have been destroyed, and is found by State.
	States map[string]*environment.State

	journal    Journal
	checkpoint uint64              // entries up to here are in snapshots
	touched    map[string]struct{} // since the checkpoint
}

// Load reads a partition: snapshots, and the entries behind the last checkpoint.
func Load(ctx context.Context, j Journal, number int) (*Partition, error) {
	p := &Partition{Number: number, journal: j, States: map[string]*environment.State{}, touched: map[string]struct{}{}}
	head, err := j.Head(ctx, number)
	if err != nil {
		return nil, err
	}
	p.Relayed = head.Relayed
	if err := p.snapshots(ctx); err != nil {
		return nil, err
	}
	p.Seq, p.Chain = max(p.checkpoint, head.Seq), head.Chain
	if err := p.replay(ctx); err != nil {
		return nil, err
	}
	for _, s := range p.States {
		s.Changes(number, p.Seq) // what was replayed is in the projection already
	}
	return p, nil
}

func (p *Partition) snapshots(ctx context.Context) error {
	found, err := p.journal.Snapshots(ctx, p.Number, "")
	if err != nil {
		return err
	}
	for _, sn := range found {
		if sn.Environment == checkpointMark {
			p.checkpoint = sn.Seq
			continue
		}
		s, err := environment.Restore(sn.Data)
		if err != nil {
			return err
		}
		if remains(s) {
			p.States[sn.Environment] = s
		}
	}
	return nil
}

// remains tells whether an environment is held in memory: of what is gone, where something of it is kept for executors.
func remains(s *environment.State) bool { return s.Remains() || len(history.Named(s)) > 0 }

// Checkpoint is the seq of the last one: as of it are all snapshots of a partition, and 0 where there are none.
func Checkpoint(ctx context.Context, j Journal, number int) (uint64, error) {
	found, err := j.Snapshots(ctx, number, checkpointMark)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0].Seq, nil
}

// replay takes in the entries behind the checkpoint, also those that somebody has written since the head was read.
func (p *Partition) replay(ctx context.Context) error {
	sel := store.Selection{Partition: p.Number, After: p.checkpoint}
	for {
		entries, err := p.journal.Entries(ctx, sel)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			if err := p.Take(ctx, e); err != nil {
				return err
			}
			sel.After = e.Seq
			if e.Seq > p.Seq {
				p.Seq, p.Chain = e.Seq, e.Chain
			}
		}
	}
}

// Take folds an entry into the state of its environment. An entry that can't follow is the error.
func (p *Partition) Take(ctx context.Context, e store.Entry) error {
	s, err := p.State(ctx, e.Environment) // one that was destroyed before the checkpoint is in its snapshot only
	if err != nil {
		return err
	}
	p.touched[e.Environment] = struct{}{}
	return history.Evolve(s, e)
}

// State finds an environment in memory, or reads what is known of the name.
func (p *Partition) State(ctx context.Context, name string) (*environment.State, error) {
	if s := p.States[name]; s != nil {
		return s, nil
	}
	found, err := p.journal.Snapshots(ctx, p.Number, name)
	if err != nil {
		return nil, err
	}
	s := environment.NewState(name)
	if len(found) > 0 {
		if s, err = environment.Restore(found[0].Data); err != nil {
			return nil, err
		}
	}
	p.States[name] = s
	return s, nil
}
