package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/graph"
)

// maxGroupEdges bounds what groups add to the graph: where nothing within either depends on anything, each of one depends on
// each of the other.
const maxGroupEdges = 1_000_000

// Groups are those of all templates, each name once; what one of a name depends on, all do.
func (p *Plan) Groups() []environment.Group {
	var list []environment.Group
	place := map[string]int{}
	for _, s := range p.scopes {
		for _, g := range s.t.Groups() {
			at, seen := place[g.Name]
			if !seen {
				place[g.Name] = len(list)
				g.DependsOn = slices.Clone(g.DependsOn)
				list = append(list, g)
				continue
			}
			for _, on := range g.DependsOn {
				if !slices.Contains(list[at].DependsOn, on) {
					list[at].DependsOn = append(list[at].DependsOn, on)
				}
			}
		}
	}
	return list
}

// groupEdge is a dependency that is there because a group depends on another.
type groupEdge struct{ from, to *instance }

// groupEdges has for each the two groups.
type groupEdges map[groupEdge][2]string

// explain adds to the error about a circle which of it comes from groups. Both it and places name instances of the list.
func (b groupEdges) explain(err *fault.Error, list []*instance, places []int) *fault.Error {
	var why []string
	for at, from := range places {
		pair, found := b[groupEdge{list[from], list[places[(at+1)%len(places)]]}]
		if text := fmt.Sprintf("group %q depends on group %q", pair[0], pair[1]); found && !slices.Contains(why, text) {
			why = append(why, text)
		}
	}
	if why != nil {
		err.Message += " (" + strings.Join(why, ", ") + ")"
	}
	return err
}

// membership is the instances by their group.
type membership struct {
	groups  map[string]environment.Group
	members map[string][]*instance
	// last are those of a group that nothing else in it depends on.
	last map[string][]*instance
}

func (p *Plan) membership() *membership {
	m := &membership{groups: map[string]environment.Group{}, members: map[string][]*instance{}, last: map[string][]*instance{}}
	for _, g := range p.Groups() {
		m.groups[g.Name] = g
	}
	inner := map[*instance]bool{}
	for _, inst := range p.order {
		b := inst.group.block
		if b.Group == "" || b.Type == environment.StatusNode { // of those nothing is made
			continue
		}
		m.members[b.Group] = append(m.members[b.Group], inst)
		for _, dep := range inst.deps {
			inner[dep] = inner[dep] || dep.group.block.Group == b.Group
		}
	}
	for name, list := range m.members {
		for _, inst := range list {
			if !inner[inst] {
				m.last[name] = append(m.last[name], inst)
			}
		}
	}
	return m
}

// ends are what has to be there before anything that depends on a group: its last, or where it is empty, those of the groups
// that it depends on itself.
func (m *membership) ends(name string) []*instance {
	if len(m.members[name]) > 0 {
		return m.last[name]
	}
	var list []*instance
	for _, on := range m.groups[name].DependsOn {
		list = append(list, m.ends(on)...)
	}
	return list
}

// connectGroups lets what a group begins with depend on what the groups end with that it depends on; the rest follows.
func (p *Plan) connectGroups() (groupEdges, *fault.Error) {
	order, groups := graph.New[string](), p.Groups()
	for _, g := range groups {
		for _, on := range g.DependsOn {
			order.AddEdge(g.Name, on)
		}
	}
	if _, err := order.Order(); err != nil {
		return nil, fault.New(fault.Reject, fault.InvalidTemplate, "these groups depend on each other in a circle, so none of them can be the first: %s", err)
	}
	m, edges := p.membership(), groupEdges{}
	for _, g := range groups {
		for _, on := range g.DependsOn {
			if err := m.connect(g.Name, on, edges); err != nil {
				return nil, err
			}
		}
	}
	return edges, nil
}

func (m *membership) connect(name, on string, edges groupEdges) *fault.Error {
	ends := m.ends(on)
	for _, inst := range m.members[name] {
		if m.inside(inst, edges) {
			continue
		}
		there := make(map[*instance]bool, len(inst.deps))
		for _, dep := range inst.deps {
			there[dep] = true
		}
		for _, end := range ends {
			if there[end] {
				continue
			}
			if there[end] = true; len(edges) >= maxGroupEdges {
				return fault.New(fault.Reject, fault.InvalidTemplate, "group %q depends on group %q, and that makes more than %d dependencies: "+
					"let one resource of %q depend on all others of it", name, on, maxGroupEdges, on)
			}
			edges[groupEdge{inst, end}] = [2]string{name, on}
			inst.deps = append(inst.deps, end)
		}
	}
	return nil
}

// inside tells whether the instance waits for another of its group.
func (m *membership) inside(inst *instance, edges groupEdges) bool {
	return slices.ContainsFunc(inst.deps, func(dep *instance) bool {
		_, added := edges[groupEdge{inst, dep}]
		return !added && dep.group.block.Group == inst.group.block.Group
	})
}
