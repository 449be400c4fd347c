package arango

import (
	"context"
	"slices"

	"github.com/arangodb/go-driver/v2/arangodb"
)

// project writes the records of a batch over what is there.
func (b *batch) project(ctx context.Context, t arangodb.Transaction) error {
	for _, home := range b.created {
		if err := clearHome(ctx, t, home); err != nil {
			return err
		}
	}
	if err := b.putLinked(ctx, t, "environments", b.environments, b.environmentEdges); err != nil {
		return err
	}
	if err := b.putLinked(ctx, t, "resources", b.resources, b.resourceEdges); err != nil {
		return err
	}
	return put(ctx, t, "put", "operations", b.operations)
}

// clearHome removes what is left of an environment's earlier life.
func clearHome(ctx context.Context, t arangodb.Transaction, home string) error {
	if err := run(ctx, t, "clear_resources", binds{"home": home}); err != nil {
		return err
	}
	if err := run(ctx, t, "clear_states", binds{"home": home}); err != nil {
		return err
	}
	for _, kind := range edgeKinds {
		if err := run(ctx, t, "clear_edges", binds{"@edges": kind, "home": home}); err != nil {
			return err
		}
	}
	return nil
}

// stood is what put_changed tells of a document.
type stood struct {
	Key    string  `json:"key"`
	Before *string `json:"before"` // fingerprint, nil when it is new
}

// putLinked writes documents, and the edges of those whose fingerprint has changed.
func (b *batch) putLinked(ctx context.Context, t arangodb.Transaction, collection string, docs []document, edges map[string][]document) error {
	fresh, stale := map[string]bool{}, []string{}
	for chunk := range slices.Chunk(docs, chunkDocuments) {
		rows, err := each[stood](ctx, t, "put_changed", binds{"docs": chunk, "@collection": collection})
		if err != nil {
			return err
		}
		now := map[string]any{}
		for _, d := range chunk {
			now[d["_key"].(string)] = d["fingerprint"]
		}
		for _, r := range rows {
			id := collection + "/" + r.Key
			// The edges of an environment that is made anew are cleared, though its document is not.
			if r.Before == nil || slices.Contains(b.created, r.Key) {
				fresh[id] = true
			} else if *r.Before != now[r.Key] {
				fresh[id], stale = true, append(stale, id)
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return relink(ctx, t, fresh, stale, edges)
}

// relink takes the old edges of some documents away, and writes the new ones of others.
func relink(ctx context.Context, t arangodb.Transaction, fresh map[string]bool, stale []string, edges map[string][]document) error {
	for _, kind := range edgeKinds {
		for chunk := range slices.Chunk(stale, chunkDocuments) {
			if err := run(ctx, t, "unlink", binds{"ids": chunk, "@edges": kind}); err != nil {
				return err
			}
		}
		var mine []document
		for _, e := range edges[kind] {
			if fresh[e["_from"].(string)] {
				mine = append(mine, e)
			}
		}
		if err := put(ctx, t, "put", kind, mine); err != nil {
			return err
		}
	}
	return nil
}
