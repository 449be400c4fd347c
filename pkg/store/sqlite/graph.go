package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// steppedDepth is up to where a walk counts its steps inside of the query. The same vertex is then visited once for each
// distance at which it lies; a deeper walk visits each once, and the distances are found from the edges.
const steppedDepth = 8

// The two walks, each in both forms. ?1 and ?2 are where it begins, ?3 is the depth, ?4 the number of edges. A term of the
// recursion is a search by the primary keys of edges and consumes, or, backwards, by edges_back and consumes_back.
var (
	walkDown = walkText(false, false)
	stepDown = walkText(false, true)
	walkUp   = walkText(true, false)
	stepUp   = walkText(true, true)
)

// walkText makes the text of a walk. In the end each edge comes with its far vertex.
func walkText(up, stepped bool) string {
	text := `WITH RECURSIVE reach (environment, address{, depth}) AS (
			SELECT ?1, ?2{, 0}
			UNION SELECT environment, address{, 0} FROM resources WHERE ?2 = '' AND environment = ?1
			UNION SELECT e.environment, e.FAR{, r.depth + 1} FROM reach r
				JOIN edges e ON e.environment = r.environment AND e.NEAR = r.address{ WHERE r.depth + 1 < ?3}
			UNION SELECT c.FARENV, c.FAR{, r.depth + 1} FROM reach r
				JOIN consumes c ON c.NEARENV = r.environment AND c.NEAR = r.address{ WHERE r.depth + 1 < ?3}),
		seen AS MATERIALIZED (SELECT DISTINCT environment, address FROM reach),
		found AS (
			SELECT e.environment, e.source, e.environment AS target_environment, e.target, 'depends_on' AS kind, '' AS output
				FROM seen s JOIN edges e ON e.environment = s.environment AND e.NEAR = s.address
			UNION ALL SELECT c.environment, c.source, c.target_environment, c.target, 'consumes', c.output
				FROM seen s JOIN consumes c ON c.NEARENV = s.environment AND c.NEAR = s.address
			LIMIT ?4)
		SELECT f.environment, f.source, f.target_environment, f.target, f.kind, f.output, coalesce(x.data ->> '$.status',
				(SELECT status FROM environments WHERE f.FAR = '' AND name = f.FARENV), ''),
			coalesce(x.data ->> '$.type', ''), coalesce(x.data ->> '$.executor', ''), coalesce(x.data ->> '$.group', '')
		FROM found f LEFT JOIN resources x ON x.environment = f.FARENV AND x.address = f.FAR`
	words := []string{"NEARENV", "environment", "FARENV", "target_environment", "NEAR", "source", "FAR", "target"}
	if up {
		words = []string{"NEARENV", "target_environment", "FARENV", "environment", "NEAR", "target", "FAR", "source"}
	}
	if stepped {
		words = append(words, "{", "", "}", "")
		return strings.NewReplacer(words...).Replace(text)
	}
	for {
		before, rest, found := strings.Cut(text, "{")
		if !found {
			return strings.NewReplacer(words...).Replace(text)
		}
		_, after, _ := strings.Cut(rest, "}")
		text = before + after
	}
}

// Walk is one recursive query.
func (s *Store) Walk(ctx context.Context, w store.Walk) (store.Reach, error) {
	if err := s.mustBe(ctx, w.From); err != nil {
		return store.Reach{}, err
	}
	stepped := w.Depth > 0 && w.Depth <= steppedDepth
	text := walkDown
	switch {
	case w.Direction == store.Dependents && stepped:
		text = stepUp
	case w.Direction == store.Dependents:
		text = walkUp
	case stepped:
		text = stepDown
	}
	edges, known, err := s.walk(ctx, text, w, store.MaxEdges+1)
	if err != nil {
		return store.Reach{}, err
	}
	truncated := len(edges) > store.MaxEdges
	reach := store.Measure(w, edges[:min(len(edges), store.MaxEdges)], known)
	reach.Truncated = truncated
	return reach, nil
}

func (s *Store) walk(ctx context.Context, text string, w store.Walk, limit int) ([]store.Edge, map[store.Ref]store.Vertex, error) {
	var edges []store.Edge
	known := map[store.Ref]store.Vertex{}
	args := []any{w.From.Environment, w.From.Address, w.Depth, limit}
	err := s.query(ctx, func(rows *sql.Rows) error {
		var e store.Edge
		var v store.Vertex
		err := rows.Scan(&e.From.Environment, &e.From.Address, &e.To.Environment, &e.To.Address, &e.Kind, &e.Output,
			&v.Status, &v.Type, &v.Executor, &v.Group)
		v.Ref = e.To
		if w.Direction == store.Dependents {
			v.Ref = e.From
		}
		known[v.Ref] = v
		edges = append(edges, e)
		return err
	}, text, args...)
	return edges, known, err
}

// mustBe tells whether there is such a resource, or environment.
func (s *Store) mustBe(ctx context.Context, r store.Ref) error {
	if r.Address == "" {
		return s.mustExist(ctx, r.Environment)
	}
	found := false
	err := s.query(ctx, func(*sql.Rows) error { found = true; return nil },
		"SELECT 1 FROM resources WHERE environment = ? AND address = ?", r.Environment, r.Address)
	if err == nil && !found {
		return store.ErrNotFound
	}
	return err
}

// pathEdges is how many edges a search for a path looks at.
const pathEdges = 500_000

// Path walks all that the first stands on, and finds the shortest way in it.
func (s *Store) Path(ctx context.Context, from, to store.Ref) ([]store.Edge, error) {
	for _, end := range []store.Ref{from, to} {
		if err := s.mustBe(ctx, end); err != nil {
			return nil, err
		}
	}
	edges, _, err := s.walk(ctx, walkDown, store.Walk{From: from, Direction: store.Dependencies}, pathEdges)
	if err != nil {
		return nil, err
	}
	return store.Shortest(from, to, edges), nil
}

// Consumers are found by consumes_back.
func (s *Store) Consumers(ctx context.Context, name string) ([]store.Edge, error) {
	var found []store.Edge
	err := s.query(ctx, func(rows *sql.Rows) error {
		e := store.Edge{Kind: store.Consumes}
		err := rows.Scan(&e.From.Environment, &e.From.Address, &e.To.Environment, &e.To.Address, &e.Output)
		found = append(found, e)
		return err
	}, `SELECT c.environment, c.source, c.target_environment, c.target, c.output FROM consumes c
		JOIN environments e ON e.name = c.environment JOIN resources r ON r.environment = c.environment AND r.address = c.source
		WHERE c.target_environment = ?1 AND c.environment <> ?1 AND e.status <> ?2 AND r.data ->> '$.status' <> ?2
		ORDER BY c.environment, c.source, c.target, c.output LIMIT ?3`, name, string(environment.Destroyed), store.MaxEdges)
	return found, err
}
