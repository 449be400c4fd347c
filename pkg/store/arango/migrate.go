package arango

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/arangodb/go-driver/v2/arangodb"
	"github.com/arangodb/go-driver/v2/arangodb/shared"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// migrate makes what is missing. Each step may be done twice, and by two servers at once; the version document is written
// last, so that a database that is half made is made on with by the next who opens it.
func (s *Store) migrate(ctx context.Context) error {
	version, made, err := s.schemaVersion(ctx)
	switch {
	case err != nil:
		return err
	case version > schemaVersion:
		return fault.New(fault.GiveUp, NewerSchema,
			"the database %s has schema %d, this build knows up to %d; use the build that made it, or a newer one",
			s.options.Database, version, schemaVersion)
	case made && version == schemaVersion:
		return nil
	}
	for _, step := range []func(context.Context) error{s.makeDatabase, s.makeCollections, s.makeGraph, s.makeView, s.makeValues, s.orderOld} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return run(ctx, s.db, "meta_put", binds{"key": "schema", "value": schemaVersion})
}

// schemaVersion is not made while there is no database, or no version in it.
func (s *Store) schemaVersion(ctx context.Context) (version int, made bool, err error) {
	version, made, err = first[int](ctx, s.db, "meta_get", binds{"key": "schema"})
	if shared.IsNotFound(err) || hasNumber(err, shared.ErrArangoDatabaseNotFound, shared.ErrArangoDataSourceNotFound) {
		return 0, false, nil
	}
	return version, made, err
}

// makeDatabase asks for one shard, so that a cluster keeps a transaction on one server; a single server does not mind.
func (s *Store) makeDatabase(ctx context.Context) error {
	_, err := s.client.GetDatabase(ctx, s.options.Database, nil)
	if err == nil || !shared.IsNotFound(err) {
		return err
	}
	_, err = s.client.CreateDatabase(ctx, s.options.Database, &arangodb.CreateDatabaseOptions{
		Options: arangodb.CreateDatabaseDefaultOptions{Sharding: arangodb.DatabaseShardingSingle},
	})
	return unlessThere(err)
}

// unlessThere is nil when somebody else has made it meanwhile.
func unlessThere(err error) error {
	if shared.IsConflict(err) || hasNumber(err, shared.ErrArangoDuplicateName) {
		return nil
	}
	return err
}

func (s *Store) makeCollections(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		if err := s.makeCollection(ctx, name, arangodb.CollectionTypeDocument, documents[name]); err != nil {
			return err
		}
	}
	for _, name := range edgeKinds {
		if err := s.makeCollection(ctx, name, arangodb.CollectionTypeEdge, edges[name]); err != nil {
			return err
		}
	}
	chunks, err := s.db.GetCollection(ctx, "log_chunks", &arangodb.GetCollectionOptions{SkipExistCheck: true})
	if err != nil {
		return err
	}
	_, _, err = chunks.EnsureTTLIndex(ctx, []string{"written"}, int(s.options.LogRetention.Seconds()), nil)
	return err
}

func (s *Store) makeCollection(ctx context.Context, name string, typ arangodb.CollectionType, indexes []index) error {
	_, err := s.db.CreateCollectionV2(ctx, name, &arangodb.CreateCollectionPropertiesV2{Type: &typ})
	if err := unlessThere(err); err != nil {
		return fmt.Errorf("collection %s: %w", name, err)
	}
	c, err := s.db.GetCollection(ctx, name, &arangodb.GetCollectionOptions{SkipExistCheck: true})
	if err != nil {
		return err
	}
	for _, i := range indexes {
		_, _, err := c.EnsurePersistentIndex(ctx, i.fields, &arangodb.CreatePersistentIndexOptions{Unique: &i.unique})
		if err != nil {
			return fmt.Errorf("index %v of %s: %w", i.fields, name, err)
		}
	}
	return nil
}

func (s *Store) makeGraph(ctx context.Context) error {
	g := &arangodb.GraphDefinition{Name: graphName}
	for _, d := range definitions {
		g.EdgeDefinitions = append(g.EdgeDefinitions, arangodb.EdgeDefinition{Collection: d.edge, From: d.from, To: d.to})
	}
	_, err := s.db.CreateGraph(ctx, graphName, g, nil)
	if hasNumber(err, shared.ErrGraphDuplicate) {
		return nil
	}
	return unlessThere(err)
}

// makeView indexes whole words, which this driver cuts, with the analyzer that leaves them as they are.
func (s *Store) makeView(ctx context.Context) error {
	soon := int64(200) // milliseconds until what is written is found
	properties := &arangodb.ArangoSearchViewProperties{CommitInterval: &soon, Links: arangodb.ArangoSearchLinks{}}
	for collection, fields := range searched {
		link := arangodb.ArangoSearchElementProperties{Fields: arangodb.ArangoSearchFields{}}
		for _, f := range fields {
			link.Fields[f] = arangodb.ArangoSearchElementProperties{Analyzers: []string{"identity"}}
		}
		properties.Links[collection] = link
	}
	_, err := s.db.CreateArangoSearchView(ctx, viewName, properties)
	return unlessThere(err)
}

// makeValues draws the key that cursors are signed with; the first server that does wins.
func (s *Store) makeValues(ctx context.Context) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return errors.Join(
		run(ctx, s.db, "meta_init", binds{"key": "cursor_key", "value": base64.StdEncoding.EncodeToString(key)}),
		run(ctx, s.db, "meta_init", binds{"key": "epoch", "value": 0}))
}

// orderOld gives the environments of schema 1 what they are sorted and filtered by. It has milliseconds, until they are written again.
func (s *Store) orderOld(ctx context.Context) error { return run(ctx, s.db, "migrate_order", nil) }
