package environment

import (
	"maps"
	"slices"
	"time"
)

// dirt is what has changed since the projection was last taken, and by which fact each: so what a record says does not depend
// on how many facts the projection is taken after, and whoever folds the same journal has the same records.
type dirt struct {
	facts int // so far
	now   mark
	flags
	before           flags // of the facts before the present one
	record, operated mark  // the last facts that changed the record of the environment, and of the operation
	created          bool
	nodes            map[int]mark
	removed          []Removal
	released         []string // places of saved plans that nobody needs any more
	// ended and left are the records of an operation that is over, and of its steps, as they were before what followed.
	ended []ended
	left  []left
}

// flags say whose record has changed.
type flags struct{ environment, operation bool }

// mark is a fact: its number since the projection was last taken, and its time.
type mark struct {
	fact int
	time time.Time
}

type ended struct {
	OperationRecord
	mark
}

type left struct {
	ResourceRecord
	mark
}

// open begins a fact. What an operation has left is written down before anything follows on it.
func (s *State) open(at time.Time) {
	d := &s.dirty
	d.now = mark{d.facts, at}
	if s.Operation != nil && !s.Busy() && s.Status != "" {
		s.leave()
	}
	d.before, d.flags = d.flags, flags{}
}

func (s *State) leave() {
	d := &s.dirty
	if d.operation {
		d.ended, d.operation = append(d.ended, ended{s.operationRecord(), d.operated}), false
	}
	for _, i := range slices.Sorted(maps.Keys(d.nodes)) {
		d.left = append(d.left, left{s.resourceRecord(s.real()[i], d.nodes[i]), d.nodes[i]})
	}
	clear(d.nodes)
}

// close ends a fact.
func (s *State) close() {
	d := &s.dirty
	d.facts++
	if d.operation {
		d.operated = d.now
	}
	if d.environment = d.environment || d.operation; d.environment {
		d.record = d.now
	}
	d.environment, d.operation = d.environment || d.before.environment, d.operation || d.before.operation
}

// anew is the dirt of a new life of the name: of the one before, only its operations are still to be told.
func (d *dirt) anew() dirt {
	return dirt{facts: d.facts, now: d.now, created: true, ended: d.ended, released: d.released}
}

func (d *dirt) touch(i int) {
	if d.nodes == nil {
		d.nodes = map[int]mark{}
	}
	d.nodes[i] = d.now
}

func (s *State) touch(i int) {
	s.dirty.operation = true
	if !s.aside() { // steps of a plan have no records of their own
		s.dirty.touch(i)
	}
}

// Changes returns the records that the facts since the last call have changed, and begins anew. Revisions are the journal
// sequences of these facts, in order; where there are fewer, the last one counts for the rest.
func (s *State) Changes(partition int, revisions ...uint64) Changes {
	var c Changes
	d := s.dirty
	s.dirty = dirt{}
	if s.Status == "" {
		return c // only rejections so far: there is no environment to show
	}
	revision := func(m mark) uint64 { return revisions[min(m.fact, len(revisions)-1)] }
	if d.created {
		c.Created = []string{s.Name}
	}
	if d.environment {
		c.Environments = []Record{s.record(partition, d.record)}
		c.Environments[0].Revision = revision(d.record)
	}
	if d.operation && s.Operation != nil {
		d.ended = append(d.ended, ended{s.operationRecord(), d.operated})
	}
	for _, e := range d.ended {
		e.Revision = revision(e.mark)
		c.Operations = append(c.Operations, e.OperationRecord)
	}
	for _, i := range slices.Sorted(maps.Keys(d.nodes)) {
		d.left = append(d.left, left{s.resourceRecord(s.real()[i], d.nodes[i]), d.nodes[i]})
	}
	last := make(map[string]int, len(d.left))
	for i, l := range d.left {
		last[l.Address] = i
	}
	for i, l := range d.left {
		if last[l.Address] == i {
			l.Revision = revision(l.mark)
			c.Resources = append(c.Resources, l.ResourceRecord)
		}
	}
	c.Removed = s.gone(d.removed)
	return c
}

// Add takes in the changes of another environment, or later ones.
func (c *Changes) Add(more Changes) {
	c.Created = append(c.Created, more.Created...)
	c.Environments = append(c.Environments, more.Environments...)
	c.Resources = append(c.Resources, more.Resources...)
	c.Operations = append(c.Operations, more.Operations...)
	c.Removed = append(c.Removed, more.Removed...)
}
