package graph

import "slices"

// Graph holds nodes and the edges "depends on" between them. Make one with New. Adding is for one goroutine at a
// time; reading what is no longer added to is safe for many.
type Graph[K comparable] struct {
	index        map[K]int
	keys         []K
	dependencies [][]int
	dependents   [][]int
	// known holds the dependencies of the nodes that have many, so that adding an edge stays cheap.
	known map[int]map[int]struct{}
}

// many is from how many dependencies on a set is faster than a look through the list.
const many = 16

// New makes an empty graph.
func New[K comparable]() *Graph[K] {
	return &Graph[K]{index: map[K]int{}, known: map[int]map[int]struct{}{}}
}

// AddNode adds a node; one that is there already keeps its place.
func (g *Graph[K]) AddNode(k K) { g.place(k) }

// AddEdge says that from depends on to. Nodes that are not there yet are added.
func (g *Graph[K]) AddEdge(from, to K) {
	f, t := g.place(from), g.place(to)
	if g.connected(f, t) {
		return
	}
	g.dependencies[f] = append(g.dependencies[f], t)
	g.dependents[t] = append(g.dependents[t], f)
}

// connected tells whether the edge is there, and remembers it in the set of a node that has one.
func (g *Graph[K]) connected(from, to int) bool {
	list := g.dependencies[from]
	if len(list) < many {
		return slices.Contains(list, to)
	}
	set := g.known[from]
	if set == nil {
		set = make(map[int]struct{}, 2*len(list))
		for _, d := range list {
			set[d] = struct{}{}
		}
		g.known[from] = set
	}
	_, there := set[to]
	set[to] = struct{}{}
	return there
}

func (g *Graph[K]) place(k K) int {
	i, known := g.index[k]
	if !known {
		i = len(g.keys)
		g.index[k] = i
		g.keys = append(g.keys, k)
		g.dependencies = append(g.dependencies, nil)
		g.dependents = append(g.dependents, nil)
	}
	return i
}

// Len is the number of nodes.
func (g *Graph[K]) Len() int { return len(g.keys) }

// Has tells whether the node is there.
func (g *Graph[K]) Has(k K) bool {
	_, known := g.index[k]
	return known
}

// Nodes are all nodes in the order in which they were added.
func (g *Graph[K]) Nodes() []K { return append([]K(nil), g.keys...) }

// Dependencies are what k depends on directly, in the order in which the edges were added.
func (g *Graph[K]) Dependencies(k K) []K { return g.neighbours(k, g.dependencies) }

// Dependents are what depends on k directly, in the order in which the edges were added.
func (g *Graph[K]) Dependents(k K) []K { return g.neighbours(k, g.dependents) }

func (g *Graph[K]) neighbours(k K, lists [][]int) []K {
	i, known := g.index[k]
	if !known {
		return nil
	}
	return g.name(lists[i])
}

func (g *Graph[K]) name(indexes []int) []K {
	keys := make([]K, len(indexes))
	for i, n := range indexes {
		keys[i] = g.keys[n]
	}
	return keys
}

// Reverse is a new graph with the same nodes in the same order and every edge turned round.
func (g *Graph[K]) Reverse() *Graph[K] {
	r := New[K]()
	for _, k := range g.keys {
		r.AddNode(k)
	}
	for f, list := range g.dependencies {
		for _, t := range list {
			r.AddEdge(g.keys[t], g.keys[f])
		}
	}
	return r
}
