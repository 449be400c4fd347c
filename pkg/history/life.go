package history

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// life is an environment while it is folded. As in the projection, a resource keeps the step of the operation that it last
// took part in, and operations are kept when others have followed.
type life struct {
	state      *environment.State
	last       store.Entry
	since      []uint64 // entries since it was settled
	resources  map[string]environment.ResourceRecord
	operations []environment.OperationRecord
}

func newLife(name string) *life {
	return &life{state: environment.NewState(name), resources: map[string]environment.ResourceRecord{}}
}

// evolve writes down what the state shows of an operation before the next one takes its place; all operations begin with a
// fact about the environment.
func (l *life) evolve(e store.Entry) error {
	if strings.HasPrefix(e.Type, "environment.") {
		l.settle()
	}
	if e.Type == (environment.Created{}).Type() {
		clear(l.resources)
	}
	l.last, l.since = e, append(l.since, e.Seq)
	return Evolve(l.state, e)
}

// settle takes over what has changed, and returns the environment's record when there is one.
func (l *life) settle() []environment.Record {
	c := l.state.Changes(l.last.Partition, append(l.since, l.last.Seq)...)
	l.since = nil
	for _, r := range c.Resources {
		l.resources[r.Address] = r
	}
	for _, r := range c.Removed {
		delete(l.resources, r.Address)
	}
	for _, o := range c.Operations {
		if n := len(l.operations); n > 0 && l.operations[n-1].ID == o.ID {
			l.operations = l.operations[:n-1]
		}
		l.operations = append(l.operations, o)
	}
	return c.Environments
}

// changes are all records; without an environment there are none.
func (l *life) changes() environment.Changes {
	c := environment.Changes{Environments: l.settle()}
	if len(c.Environments) == 0 {
		return c
	}
	c.Created, c.Operations = []string{l.state.Name}, l.operations
	c.Resources = slices.SortedFunc(maps.Values(l.resources), func(a, b environment.ResourceRecord) int {
		return cmp.Compare(a.Address, b.Address)
	})
	return c
}
