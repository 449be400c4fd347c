package arango

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	defaultHits = 20
	// searchTerms bounds the words of one search; the others are left out.
	searchTerms = 64
)

// Search ranks by BM25 in the ArangoSearch view, which is some hundred milliseconds behind what is written.
func (s *Store) Search(ctx context.Context, q store.Search) ([]store.Hit, error) {
	kinds := []string{store.EnvironmentHit, store.ResourceHit}
	switch q.Kind {
	case "":
	case store.EnvironmentHit, store.ResourceHit:
		kinds = []string{q.Kind}
	default:
		return nil, fault.New(fault.Reject, fault.Invalid, "there is no kind %q of hits; there are environment and resource", q.Kind)
	}
	words := cutWords(store.Words(q.Text))
	if len(words) == 0 {
		return nil, nil
	}
	words = words[:min(len(words), searchTerms)]
	if q.Limit <= 0 {
		q.Limit = defaultHits
	}
	return ask[store.Hit](ctx, s, "search", binds{"kinds": kinds, "words": words, "count": len(words), "limit": min(q.Limit, store.MaxHits)})
}
