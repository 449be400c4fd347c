package store

import (
	"cmp"
	"slices"
	"strings"
)

// Measure arranges what a driver found of a walk: it keeps the vertices that the edges lead to within the depth, with their
// distances, and the edges between them. Known has what there is to say of a vertex. It is for drivers.
func Measure(w Walk, edges []Edge, known map[Ref]Vertex) Reach {
	m := &measure{walk: w, next: map[Ref][]int{}, depth: map[Ref]int{}, edges: edges}
	for i, e := range edges {
		near, _ := m.ends(e)
		m.next[near] = append(m.next[near], i)
	}
	return m.reach(known)
}

type measure struct {
	walk  Walk
	edges []Edge
	next  map[Ref][]int // edges that lead on
	depth map[Ref]int
}

// ends are the near and the far one, as seen by the walk.
func (m *measure) ends(e Edge) (near, far Ref) {
	if m.walk.Direction == Dependents {
		return e.To, e.From
	}
	return e.From, e.To
}

func (m *measure) inside(r Ref) bool {
	return r == m.walk.From || m.walk.From.Address == "" && r.Environment == m.walk.From.Environment
}

// reach goes along the edges in order of distance.
func (m *measure) reach(known map[Ref]Vertex) Reach {
	out := Reach{Vertices: []Vertex{}, Edges: []Edge{}}
	var front []Ref
	for near := range m.next {
		if m.inside(near) {
			front = append(front, near)
		}
	}
	for d := 1; len(front) > 0 && (m.walk.Depth == 0 || d <= m.walk.Depth); d++ {
		var after []Ref
		for _, near := range front {
			for _, i := range m.next[near] {
				_, far := m.ends(m.edges[i])
				if m.inside(far) {
					continue
				}
				out.Edges = append(out.Edges, m.edges[i])
				if m.depth[far] == 0 {
					m.depth[far] = d
					after = append(after, far)
				}
			}
		}
		front = after
	}
	for ref, d := range m.depth {
		v := known[ref]
		v.Ref, v.Depth = ref, d
		out.Vertices = append(out.Vertices, v)
	}
	slices.SortFunc(out.Vertices, func(a, b Vertex) int { return cmp.Or(cmp.Compare(a.Depth, b.Depth), compareRefs(a.Ref, b.Ref)) })
	slices.SortFunc(out.Edges, compareEdges)
	return out
}

func compareRefs(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Environment, b.Environment), strings.Compare(a.Address, b.Address))
}

func compareEdges(a, b Edge) int {
	return cmp.Or(compareRefs(a.From, b.From), compareRefs(a.To, b.To), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Output, b.Output))
}

// Shortest is a shortest way along the edges from one vertex to another, nil when there is none. It is for drivers.
func Shortest(from, to Ref, edges []Edge) []Edge {
	next := map[Ref][]int{}
	for i, e := range edges {
		next[e.From] = append(next[e.From], i)
	}
	came := map[Ref]int{from: -1}
	for front := []Ref{from}; len(front) > 0; front = front[1:] {
		for _, i := range next[front[0]] {
			far := edges[i].To
			if _, seen := came[far]; !seen {
				came[far] = i
				front = append(front, far)
			}
		}
	}
	if _, found := came[to]; !found || from == to {
		return nil
	}
	var way []Edge
	for at := to; came[at] >= 0; at = edges[came[at]].From {
		way = append(way, edges[came[at]])
	}
	slices.Reverse(way)
	return way
}
