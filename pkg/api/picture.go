package api

import (
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// picture is a graph as it is drawn, whatever it came from.
type picture struct {
	title string
	nodes []pictureNode
	// groups in the order in which they were declared; nodes may be in others, too.
	groups []string
	edges  []pictureEdge
}

type pictureNode struct {
	name   string
	detail string // what kind it is, and how far
	tip    string
	group  string
	status environment.Status
	action bool
	marked bool // what was asked about
}

// pictureEdge leads from what depends to what it stands on, by the nodes' numbers.
type pictureEdge struct {
	from, to int
	label    string
}

// detailOf leaves out what is not known.
func detailOf(executor string, status environment.Status) string {
	switch {
	case executor == "":
		return string(status)
	case status == "":
		return executor
	}
	return executor + ", " + string(status)
}

// pictureOf an environment's graph.
func pictureOf(g wire.Graph) picture {
	p := picture{title: g.Environment + " (" + string(g.Status) + ")"}
	for _, group := range g.Groups {
		p.groups = append(p.groups, group.Name)
	}
	number := make(map[string]int, len(g.Nodes))
	for i, n := range g.Nodes {
		number[n.Address] = i
		node := pictureNode{name: n.Address, detail: detailOf(n.Executor, n.Status), tip: string(n.Status), group: n.Group, status: n.Status,
			action: n.Type == environment.ActionNode}
		if n.Error != nil {
			node.tip += ": " + n.Error.Message
		}
		p.nodes = append(p.nodes, node)
	}
	for _, e := range g.Edges {
		from, ok := number[e.From]
		to, too := number[e.To]
		if ok && too {
			p.edges = append(p.edges, pictureEdge{from: from, to: to})
		}
	}
	p.around(g, number)
	return p
}

// around draws what the environment uses of others, and they of it, each other one as a group.
func (p *picture) around(g wire.Graph, own map[string]int) {
	number := map[store.Ref]int{}
	place := func(r store.Ref) int {
		if i, known := own[r.Address]; known && r.Environment == g.Environment {
			return i
		}
		if _, known := number[r]; !known {
			number[r] = len(p.nodes)
			node := pictureNode{name: r.Address, group: "environment " + r.Environment}
			if r.Address == "" {
				node.name = r.Environment
			}
			p.nodes = append(p.nodes, node)
		}
		return number[r]
	}
	for _, e := range g.Around {
		p.edges = append(p.edges, pictureEdge{from: place(e.From), to: place(e.To), label: e.Output})
	}
}

// pictureOfEdges draws what a question about the graph found: the environments are the groups. What is marked was asked about.
func pictureOfEdges(title string, marked []store.Ref, vertices []store.Vertex, edges []store.Edge) picture {
	p := picture{title: title}
	number := make(map[store.Ref]int, len(vertices))
	for _, v := range vertices {
		if _, twice := number[v.Ref]; twice {
			continue
		}
		number[v.Ref] = len(p.nodes)
		node := pictureNode{name: v.Address, detail: detailOf(v.Executor, v.Status), tip: string(v.Status), group: v.Environment, status: v.Status,
			action: v.Type == string(environment.ActionNode)}
		if v.Address == "" {
			node.name = v.Environment
		}
		p.nodes = append(p.nodes, node)
	}
	for _, r := range marked {
		if i, ok := number[r]; ok {
			p.nodes[i].marked = true
		}
	}
	for _, e := range edges {
		from, ok := number[e.From]
		to, too := number[e.To]
		if ok && too {
			p.edges = append(p.edges, pictureEdge{from: from, to: to, label: e.Output})
		}
	}
	return p
}

// sections are the nodes by group, by number: first those of no group, then the groups in order.
func (p picture) sections() (loose []int, names []string, members map[string][]int) {
	members = map[string][]int{}
	for _, group := range p.groups {
		if _, twice := members[group]; !twice {
			names = append(names, group)
			members[group] = nil
		}
	}
	for i, node := range p.nodes {
		if node.group == "" {
			loose = append(loose, i)
			continue
		}
		if _, known := members[node.group]; !known {
			names = append(names, node.group)
		}
		members[node.group] = append(members[node.group], i)
	}
	return loose, names, members
}
