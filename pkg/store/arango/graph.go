package arango

import (
	"context"
	"math"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// link is an edge as queries give it, with what there is to say of its far vertex.
type link struct {
	Environment       string             `json:"environment"`
	Source            string             `json:"source"`
	TargetEnvironment string             `json:"target_environment"`
	Target            string             `json:"target"`
	Kind              store.EdgeKind     `json:"kind"`
	Output            string             `json:"output"`
	Status            environment.Status `json:"status"`
	Type              string             `json:"type"`
	Executor          string             `json:"executor"`
	Group             string             `json:"group"`
}

func (l link) edge() store.Edge {
	return store.Edge{From: store.Ref{Environment: l.Environment, Address: l.Source},
		To: store.Ref{Environment: l.TargetEnvironment, Address: l.Target}, Kind: l.Kind, Output: l.Output}
}

func edgesOf(links []link) []store.Edge {
	var edges []store.Edge
	for _, l := range links {
		edges = append(edges, l.edge())
	}
	return edges
}

// Walk is one traversal of the named graph.
func (s *Store) Walk(ctx context.Context, w store.Walk) (store.Reach, error) {
	if err := s.mustBe(ctx, w.From); err != nil {
		return store.Reach{}, err
	}
	query := "walk_down"
	if w.Direction == store.Dependents {
		query = "walk_up"
	}
	inner := w.Depth - 1
	if w.Depth == 0 {
		inner = math.MaxInt32
	}
	links, err := ask[link](ctx, s, query, binds{"start": targetID(w.From.Environment, w.From.Address), "whole": w.From.Address == "",
		"home": keyOf(w.From.Environment), "inner": inner, "limit": store.MaxEdges + 1})
	if err != nil {
		return store.Reach{}, err
	}
	kept := links[:min(len(links), store.MaxEdges)]
	reach := store.Measure(w, edgesOf(kept), vertices(w, kept))
	reach.Truncated = len(links) > store.MaxEdges
	return reach, nil
}

// vertices are the far ends of edges, as a walk in its direction sees them.
func vertices(w store.Walk, links []link) map[store.Ref]store.Vertex {
	known := map[store.Ref]store.Vertex{}
	for _, l := range links {
		e := l.edge()
		far := e.To
		if w.Direction == store.Dependents {
			far = e.From
		}
		known[far] = store.Vertex{Ref: far, Status: l.Status, Type: l.Type, Executor: l.Executor, Group: l.Group}
	}
	return known
}

// mustBe tells whether there is such a resource, or environment.
func (s *Store) mustBe(ctx context.Context, r store.Ref) error {
	if r.Address == "" {
		return s.mustExist(ctx, "environments", keyOf(r.Environment))
	}
	return s.mustExist(ctx, "resources", keyOf(r.Environment, r.Address))
}

// Path is a shortest path in the graph.
func (s *Store) Path(ctx context.Context, from, to store.Ref) ([]store.Edge, error) {
	for _, end := range []store.Ref{from, to} {
		if err := s.mustBe(ctx, end); err != nil {
			return nil, err
		}
	}
	if from == to {
		return nil, nil
	}
	links, err := ask[link](ctx, s, "path", binds{"start": targetID(from.Environment, from.Address), "end": targetID(to.Environment, to.Address)})
	return edgesOf(links), err
}

// Consumers are found by the index on target_home.
func (s *Store) Consumers(ctx context.Context, name string) ([]store.Edge, error) {
	links, err := ask[link](ctx, s, "consumers", binds{"home": keyOf(name), "limit": store.MaxEdges})
	return edgesOf(links), err
}
