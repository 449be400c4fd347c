package graph

import (
	"fmt"
	"strings"
)

// CycleError says that no order exists. Nodes is one cycle: each depends on the next, and the last on the first.
type CycleError[K comparable] struct{ Nodes []K }

// Error names the cycle, its first node again at the end.
func (e *CycleError[K]) Error() string {
	names := make([]string, 0, len(e.Nodes)+1)
	for _, k := range e.Nodes {
		names = append(names, fmt.Sprint(k))
	}
	if len(names) > 0 {
		names = append(names, names[0])
	}
	return "cycle: " + strings.Join(names, " -> ")
}

const (
	unseen = iota
	open   // on the path that is being followed
	done
)

// visit is one step of the walk: a node, and how many of its dependencies were followed.
type visit struct{ node, next int }

// Order lists every node behind all that it depends on, and otherwise keeps the order in which nodes were added.
// The error, if any, is a *CycleError[K].
func (g *Graph[K]) Order() ([]K, error) {
	order, err := g.order()
	if err != nil {
		return nil, err
	}
	return g.name(order), nil
}

// order walks depth first with a stack of its own, for a chain may be longer than a goroutine's stack is deep.
func (g *Graph[K]) order() ([]int, error) {
	order := make([]int, 0, len(g.keys))
	state := make([]byte, len(g.keys))
	var path []visit
	for root := range g.keys {
		if state[root] != unseen {
			continue
		}
		path = append(path[:0], visit{node: root})
		state[root] = open
		for len(path) > 0 {
			at := &path[len(path)-1]
			if at.next == len(g.dependencies[at.node]) {
				state[at.node] = done
				order = append(order, at.node)
				path = path[:len(path)-1]
				continue
			}
			to := g.dependencies[at.node][at.next]
			at.next++
			switch state[to] {
			case open:
				return nil, g.cycle(path, to)
			case unseen:
				state[to] = open
				path = append(path, visit{node: to})
			}
		}
	}
	return order, nil
}

func (g *Graph[K]) cycle(path []visit, to int) error {
	start := len(path) - 1
	for path[start].node != to {
		start--
	}
	var nodes []K
	for _, v := range path[start:] {
		nodes = append(nodes, g.keys[v.node])
	}
	return &CycleError[K]{Nodes: nodes}
}

// Layers groups the nodes by how long the longest way down is: layer 0 depends on nothing, layer n on at least one
// node of layer n-1. Within a layer the order in which nodes were added is kept. The error is a *CycleError[K].
func (g *Graph[K]) Layers() ([][]K, error) {
	order, err := g.order()
	if err != nil {
		return nil, err
	}
	depth := make([]int, len(g.keys))
	var layers [][]K
	for _, n := range order {
		for _, d := range g.dependencies[n] {
			depth[n] = max(depth[n], depth[d]+1)
		}
	}
	for n, k := range g.keys {
		for len(layers) <= depth[n] {
			layers = append(layers, nil)
		}
		layers[depth[n]] = append(layers[depth[n]], k)
	}
	return layers, nil
}
