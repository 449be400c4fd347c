package memory

import (
	"github.com/vivarium-env/vivarium/pkg/store"
)

// checkpointEvery is Partition.CheckpointEvery unless that is set; large graphs make it rarer, so that a checkpoint costs less
// than the entries since the one before.
const checkpointEvery = 2000

// checkpointMark is the name of the snapshot that says up to where the others hold everything; no environment can be
// called so.
const checkpointMark = "_checkpoint"

// Fill puts into a batch what goes with its entries: the records that they change, and the snapshots of a checkpoint when
// one is due. The states have taken the entries in, whoever did that, and nothing else since the batch before.
func (p *Partition) Fill(b *store.Batch) error {
	if len(b.Entries) == 0 {
		return nil
	}
	var names []string
	revisions := map[string][]uint64{}
	for _, e := range b.Entries {
		if revisions[e.Environment] == nil {
			names = append(names, e.Environment)
		}
		revisions[e.Environment] = append(revisions[e.Environment], e.Seq)
		p.touched[e.Environment] = struct{}{}
	}
	for _, name := range names {
		b.Changes.Add(p.States[name].Changes(p.Number, revisions[name]...))
	}
	var err error
	b.Snapshots, err = p.due(b.Entries[len(b.Entries)-1].Seq)
	return err
}

// due gives the snapshots that make a checkpoint, nil when it is too early for one: one of every environment that changed
// since the last, and the mark.
func (p *Partition) due(last uint64) ([]store.Snapshot, error) {
	nodes := 0
	for name := range p.touched {
		nodes += len(p.States[name].Nodes)
	}
	every := p.CheckpointEvery
	if every <= 0 {
		every = checkpointEvery
	}
	if last-p.checkpoint < uint64(every+4*nodes) { //nolint:gosec // not negative
		return nil, nil
	}
	snapshots := []store.Snapshot{{Environment: checkpointMark, Partition: p.Number, Seq: last}}
	for name := range p.touched {
		s := p.States[name]
		if s.Status == "" {
			continue // commands for it were rejected, there never was one
		}
		data, err := s.Snapshot()
		if err != nil {
			return nil, err
		}
		snapshots = append(snapshots, store.Snapshot{Environment: name, Partition: p.Number, Seq: last, Data: data})
	}
	return snapshots, nil
}

// Committed takes note that a batch is written. After a checkpoint it lets go of what can be read again from its snapshot.
func (p *Partition) Committed(b store.Batch) {
	if len(b.Entries) == 0 {
		return
	}
	last := b.Entries[len(b.Entries)-1]
	p.Seq, p.Chain = last.Seq, last.Chain
	if b.Snapshots == nil {
		return
	}
	p.checkpoint = last.Seq
	for name := range p.touched {
		if !remains(p.States[name]) {
			delete(p.States, name)
		}
	}
	clear(p.touched)
}
