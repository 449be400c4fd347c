package orchestrator

import (
	"errors"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// consumed answers the decider about an output of another environment, as the projection has it. What is decided in this turn
// is not in there yet: it is seen with the next tick.
func (t *turn) consumed(name, output string) environment.Supply {
	record, known := t.others[name]
	if !known {
		found, err := t.p.Store.Environment(t.ctx, name)
		switch {
		case err == nil:
			record = &found
		case !errors.Is(err, store.ErrNotFound):
			t.states.err = err // what is decided does not count
			return environment.Supply{}
		}
		if t.others == nil {
			t.others = map[string]*environment.Record{}
		}
		t.others[name] = record
	}
	if record == nil {
		return environment.Supply{}
	}
	return record.Supply(output)
}

// acyclic refuses nodes that use an environment which, through whatever is between, uses theirs: none of them could be the first.
func (t *turn) acyclic(name string, nodes []environment.Node) error {
	wanted := map[string]bool{}
	for _, n := range nodes {
		for _, of := range n.Consumes {
			wanted[of.Environment] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	uses := map[string]string{name: ""} // which of those found before each of them uses
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		users, err := t.users(queue[0])
		if err != nil {
			t.states.err = err // what is decided does not count
			return nil
		}
		for _, user := range users {
			if _, seen := uses[user]; seen {
				continue
			}
			uses[user] = queue[0]
			if wanted[user] {
				return circle(name, user, uses)
			}
			queue = append(queue, user)
		}
	}
	return nil
}

func circle(name, user string, uses map[string]string) error {
	way := []string{name, user}
	for at := uses[user]; at != ""; at = uses[at] {
		way = append(way, at)
	}
	return fault.New(fault.Reject, fault.InvalidTemplate, "these environments would use each other in a circle, so none of them could be the first: %s", strings.Join(way, " -> "))
}

// users are the environments that use an output of one.
func (t *turn) users(name string) ([]string, error) {
	edges, err := t.uses(name)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range edges {
		names = append(names, e.Environment)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// uses are the nodes of other environments that use an output of one, as the graph in the store has them. Of environments
// that something was decided on in this turn, their states tell.
func (t *turn) uses(name string) ([]environment.Consumer, error) {
	edges, err := t.p.Store.Consumers(t.ctx, name)
	if err != nil {
		return nil, err
	}
	changed := map[string]*environment.State{}
	for _, e := range t.batch.Entries {
		if s := t.p.states[e.Environment]; s != nil {
			changed[e.Environment] = s
		}
	}
	var all []environment.Consumer
	for _, e := range edges {
		if changed[e.From.Environment] == nil {
			all = append(all, e.Consumer())
		}
	}
	for _, s := range changed {
		all = append(all, s.UsesOf(name)...)
	}
	slices.SortFunc(all, environment.Consumer.Compare)
	return slices.Compact(all), nil
}

// askedUses answers the decider who uses an environment. It is asked where something would be taken away, and not often.
func (t *turn) askedUses(name string) []environment.Consumer {
	list, err := t.uses(name)
	if err != nil {
		t.states.err = err // what is decided does not count
	}
	return list
}
