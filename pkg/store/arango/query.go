package arango

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/arangodb/go-driver/v2/arangodb"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

//go:embed aql/*.aql
var files embed.FS

// queries are the texts by the names of their files.
var queries = func() map[string]string {
	all := map[string]string{}
	names, _ := fs.Glob(files, "aql/*.aql") // the pattern is good
	for _, name := range names {
		text, _ := files.ReadFile(name) // it is embedded
		all[strings.TrimSuffix(path.Base(name), ".aql")] = string(text)
	}
	return all
}()

// binds are the bind parameters of a query: all that is not constant in it.
type binds map[string]any

// batchSize is how many rows come with one answer.
const batchSize = 2000

// each runs a query and decodes its rows; q is the database, or a transaction.
func each[T any](ctx context.Context, q arangodb.DatabaseQuery, name string, b binds) (all []T, err error) {
	text, ok := queries[name]
	if !ok {
		return nil, fmt.Errorf("there is no query %q", name)
	}
	var rows []T
	cursor, err := q.QueryBatch(ctx, text, &arangodb.QueryOptions{BatchSize: batchSize, BindVars: b}, &rows)
	if err != nil {
		return nil, err
	}
	all = rows
	for cursor.HasMoreBatches() {
		rows = nil
		if err := cursor.ReadNextBatch(ctx, &rows); err != nil {
			// The server forgets the cursor by itself, and a transaction's with the transaction.
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// first is the first row of a query.
func first[T any](ctx context.Context, q arangodb.DatabaseQuery, name string, b binds) (row T, found bool, err error) {
	rows, err := each[T](ctx, q, name, b)
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// run is a query that gives nothing.
func run(ctx context.Context, q arangodb.DatabaseQuery, name string, b binds) error {
	_, err := each[any](ctx, q, name, b)
	return err
}

// retry does work until it succeeds, fails for good, or has been tried often enough; a server that is away is left for the
// next one. Work begins anew each time.
func (s *Store) retry(ctx context.Context, work func(context.Context) error) error {
	if s.closed.Load() {
		return errClosed
	}
	p := resilience.Policy{Attempts: s.options.Attempts, Backoff: s.options.backoff, MaxBackoff: 50 * s.options.backoff}
	return resilience.Do(ctx, p, func(ctx context.Context) error {
		endpoint := s.endpoints.present.Load()
		err := work(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return final{ctx.Err()}
		case s.closed.Load():
			return errClosed
		case away(err):
			s.endpoints.leave(endpoint)
		}
		if !again(err) {
			return final{s.asFault(err)}
		}
		return s.asFault(err)
	})
}

// final is an error after which trying again is of no use, whatever its own disposition says to others.
type final struct{ cause error }

var stop = fault.New(fault.GiveUp, fault.Internal, "trying again is of no use")

func (f final) Error() string   { return f.cause.Error() }
func (f final) Unwrap() []error { return []error{stop, f.cause} }

// ask is each, tried again.
func ask[T any](ctx context.Context, s *Store, name string, b binds) (rows []T, err error) {
	err = s.retry(ctx, func(ctx context.Context) (err error) {
		rows, err = each[T](ctx, s.db, name, b)
		return err
	})
	return rows, plain(err)
}

// askOne is first, tried again.
func askOne[T any](ctx context.Context, s *Store, name string, b binds) (row T, found bool, err error) {
	rows, err := ask[T](ctx, s, name, b)
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// plain takes off what only retry needs to know.
func plain(err error) error {
	if f, ok := err.(final); ok { //nolint:errorlint // it is the outermost
		return f.cause
	}
	return err
}
