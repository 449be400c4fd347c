package orchestrator

import "github.com/vivarium-env/vivarium/pkg/store"

// checkpointEvery is how many entries a partition's owner writes between two checkpoints, at least; large graphs make
// it rarer, so that a checkpoint costs less than the entries since the one before.
const checkpointEvery = 2000

// checkpointDue gives the snapshots that make a checkpoint of the partition, nil when it is too early for one: one of
// every environment that changed since the last, and the mark.
func (p *partition) checkpointDue(last uint64) ([]store.Snapshot, error) {
	nodes := 0
	for name := range p.touched {
		nodes += len(p.states[name].Nodes)
	}
	if last-p.checkpoint < uint64(checkpointEvery+4*nodes) {
		return nil, nil
	}
	snapshots := []store.Snapshot{{Environment: checkpointMark, Partition: p.number, Seq: last}}
	for name := range p.touched {
		s := p.states[name]
		if s.Status == "" {
			continue // commands for it were rejected, there never was one
		}
		data, err := s.Snapshot()
		if err != nil {
			return nil, err
		}
		snapshots = append(snapshots, store.Snapshot{Environment: name, Partition: p.number, Seq: last, Data: data})
	}
	return snapshots, nil
}

// checkpointed lets go of what can be read again from its snapshot.
func (p *partition) checkpointed(last uint64) {
	p.checkpoint = last
	for name := range p.touched {
		if s := p.states[name]; !s.Exists() {
			delete(p.states, name)
		}
	}
	clear(p.touched)
}
