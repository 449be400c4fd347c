package graph

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOrderKeepsTheOrderOfInsertion(t *testing.T) {
	g := New[string]()
	for _, k := range []string{"c", "a", "b", "d"} {
		g.AddNode(k)
	}
	g.AddEdge("c", "d")
	g.AddEdge("c", "d")
	order, err := g.Order()
	require.NoError(t, err)
	require.Equal(t, []string{"d", "c", "a", "b"}, order)
	require.Equal(t, []string{"d"}, g.Dependencies("c"))
	require.Equal(t, []string{"c"}, g.Dependents("d"))
	require.Equal(t, []string{"c", "a", "b", "d"}, g.Nodes())
	require.Empty(t, g.Dependencies("nobody"))
	require.False(t, g.Has("nobody"))
}

func TestCycleIsNamedInOrder(t *testing.T) {
	g := New[string]()
	g.AddEdge("entry", "a")
	g.AddEdge("a", "b")
	g.AddEdge("b", "c")
	g.AddEdge("c", "a")
	_, err := g.Order()
	var cycle *CycleError[string]
	require.True(t, errors.As(err, &cycle))
	require.Equal(t, []string{"a", "b", "c"}, cycle.Nodes)
	require.EqualError(t, err, "cycle: a -> b -> c -> a")
	_, err = g.Layers()
	require.ErrorAs(t, err, &cycle)
}

func TestNodeThatDependsOnItself(t *testing.T) {
	g := New[int]()
	g.AddEdge(7, 7)
	_, err := g.Order()
	require.EqualError(t, err, "cycle: 7 -> 7")
}

func TestLayers(t *testing.T) {
	g := New[string]()
	g.AddEdge("web", "api")
	g.AddEdge("api", "db")
	g.AddEdge("web", "db")
	g.AddNode("alone")
	layers, err := g.Layers()
	require.NoError(t, err)
	require.Equal(t, [][]string{{"db", "alone"}, {"api"}, {"web"}}, layers)
}

type edge struct{ from, to int }

func drawEdges(t *rapid.T, acyclic bool) (int, []edge) {
	n := rapid.IntRange(1, 30).Draw(t, "nodes")
	m := rapid.IntRange(0, 200).Draw(t, "edges")
	var edges []edge
	for range m {
		from, to := rapid.IntRange(0, n-1).Draw(t, "from"), rapid.IntRange(0, n-1).Draw(t, "to")
		if acyclic && from <= to {
			continue
		}
		edges = append(edges, edge{from, to})
	}
	return n, edges
}

func build(t *rapid.T, n int, edges []edge) *Graph[int] {
	g := New[int]()
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	for _, i := range rapid.Permutation(all).Draw(t, "order") {
		g.AddNode(i)
	}
	for _, e := range edges {
		g.AddEdge(e.from, e.to)
	}
	return g
}

func TestAcyclicGraphsHaveAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, edges := drawEdges(t, true)
		g := build(t, n, edges)
		order, err := g.Order()
		require.NoError(t, err)
		require.Len(t, order, n)
		place := map[int]int{}
		for i, k := range order {
			place[k] = i
		}
		require.Len(t, place, n)
		for _, e := range edges {
			require.Less(t, place[e.to], place[e.from])
		}
		again, _ := g.Order()
		require.Equal(t, order, again)
		require.Equal(t, g.Nodes(), g.Reverse().Nodes())
		require.Equal(t, sortedEdges(g), sortedEdges(g.Reverse().Reverse()))
	})
}

func sortedEdges(g *Graph[int]) []string {
	var edges []string
	for _, k := range g.Nodes() {
		for _, d := range g.Dependencies(k) {
			edges = append(edges, fmt.Sprint(k, d))
		}
	}
	slices.Sort(edges)
	return edges
}

func TestLayersAreTight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, edges := drawEdges(t, true)
		g := build(t, n, edges)
		layers, err := g.Layers()
		require.NoError(t, err)
		depth := map[int]int{}
		for d, layer := range layers {
			for _, k := range layer {
				depth[k] = d
			}
		}
		require.Len(t, depth, n)
		for _, k := range g.Nodes() {
			want := 0
			for _, d := range g.Dependencies(k) {
				want = max(want, depth[d]+1)
			}
			require.Equal(t, want, depth[k])
		}
	})
}

func TestEveryCycleReportedIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, edges := drawEdges(t, false)
		g := build(t, n, edges)
		order, err := g.Order()
		if err == nil {
			require.Len(t, order, n)
			return
		}
		var cycle *CycleError[int]
		require.True(t, errors.As(err, &cycle))
		for i, k := range cycle.Nodes {
			require.Contains(t, g.Dependencies(k), cycle.Nodes[(i+1)%len(cycle.Nodes)])
		}
	})
}

func TestALongChainNeedsNoDeepStack(t *testing.T) {
	const n = 1_000_000
	g := New[int]()
	for i := range n {
		g.AddEdge(i, i+1)
	}
	order, err := g.Order()
	require.NoError(t, err)
	require.Equal(t, n, order[0])
}

func BenchmarkOrder(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		g := New[int]()
		for i := 1; i < n; i++ {
			g.AddEdge(i, i-1)
			g.AddEdge(i, i/2)
		}
		if _, err := g.Order(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "nodes/s")
}

func TestAnEdgeCountsOnceAmongMany(t *testing.T) {
	g := New[int]()
	for range 3 {
		for i := 1; i <= 100; i++ {
			g.AddEdge(0, i)
		}
	}
	require.Len(t, g.Dependencies(0), 100)
	require.Equal(t, []int{0}, g.Dependents(100))
}
