package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const defaultHits = 20

// The weights of the columns: what something is called says more about it than what it puts out. Only the best are joined
// with their records.
const (
	environmentHits = `SELECT 'environment' AS kind, e.name AS environment, '' AS address, e.data AS data, -f.score AS score
		FROM (SELECT rowid AS id, bm25(environment_search, 10, 4, 6, 1) AS score FROM environment_search
			WHERE environment_search MATCH ?2 %s ORDER BY score LIMIT ?1) f JOIN environments e ON e.id = f.id`
	resourceHits = `SELECT 'resource' AS kind, r.environment AS environment, r.address AS address, r.data AS data, -f.score AS score
		FROM (SELECT rowid AS id, bm25(resource_search, 8, 4, 1) AS score FROM resource_search
			WHERE resource_search MATCH ?2 %s ORDER BY score LIMIT ?1) f JOIN resources r ON r.id = f.id`
)

// Search ranks by BM25.
func (s *Store) Search(ctx context.Context, q store.Search) ([]store.Hit, error) {
	words := store.Words(q.Text)
	if len(words) == 0 {
		return nil, nil
	}
	if q.Limit <= 0 {
		q.Limit = defaultHits
	}
	q.Limit = min(q.Limit, store.MaxHits)
	text, args, err := searchText(q, slices.Collect(slices.Chunk(words, searchTerms)))
	if err != nil {
		return nil, err
	}
	// Not prepared for keeps: a text of many words has a statement of its own.
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, s.readError(ctx, err)
	}
	var hits []store.Hit
	err = s.each(ctx, rows, func(rows *sql.Rows) error {
		var h store.Hit
		var data sql.RawBytes
		if err := rows.Scan(&h.Kind, &h.Environment, &h.Address, &data, &h.Score); err != nil {
			return err
		}
		var record struct {
			Status      environment.Status
			Description string
			Tags        []string
		}
		err := s.decode(data, &record)
		h.Status, h.Description, h.Tags = record.Status, record.Description, record.Tags
		hits = append(hits, h)
		return err
	})
	return hits, err
}

// searchText selects what has the words of all chunks; the first chunk ranks.
func searchText(q store.Search, chunks [][]string) (string, []any, error) {
	args := []any{q.Limit, matchAll(chunks[0])}
	var moreOf [2]string
	for _, c := range chunks[1:] {
		args = append(args, matchAll(c))
		for i, table := range []string{"environment_search", "resource_search"} {
			moreOf[i] += fmt.Sprintf(" AND rowid IN (SELECT rowid FROM %s WHERE %s MATCH ?%d)", table, table, len(args))
		}
	}
	environments, resources := fmt.Sprintf(environmentHits, moreOf[0]), fmt.Sprintf(resourceHits, moreOf[1])
	text := environments + " UNION ALL " + resources
	switch q.Kind {
	case "":
	case store.EnvironmentHit:
		text = environments
	case store.ResourceHit:
		text = resources
	default:
		return "", nil, fault.New(fault.Reject, fault.Invalid, "there is no kind %q of hits; there are environment and resource", q.Kind)
	}
	return "SELECT * FROM (" + text + ") ORDER BY score DESC, environment, address LIMIT ?1", args, nil
}
