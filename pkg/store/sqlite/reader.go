package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// decode reads a record that this package wrote; when it can't, the file is damaged.
func (s *Store) decode(data []byte, record any) error {
	if err := json.Unmarshal(data, record); err != nil {
		return fault.Wrap(err, fault.GiveUp, Corrupt, "a %T in the store %s is damaged; restore it from a backup", record, s.path)
	}
	return nil
}

// Environment by name.
func (s *Store) Environment(ctx context.Context, name string) (environment.Record, error) {
	r, known, before := s.records.get(name)
	if known && ctx.Err() == nil && !s.writer.isClosed() {
		return r, nil
	}
	r = environment.Record{}
	found, err := s.document(ctx, &r, "SELECT data FROM environments WHERE name = ?", name)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err == nil && s.options.Alone {
		s.records.put(r, before)
	}
	return r, err
}

func (s *Store) document(ctx context.Context, record any, text string, args ...any) (found bool, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		found = true
		return s.decode(data, record)
	}, text, args...)
	return found, err
}

// Template by hash.
func (s *Store) Template(ctx context.Context, hash string) (store.TemplateRecord, error) {
	var t store.TemplateRecord
	var found bool
	err := s.query(ctx, func(rows *sql.Rows) error {
		var data sql.RawBytes
		var archive []byte
		if err := rows.Scan(&data, &archive); err != nil {
			return err
		}
		found = true
		err := s.decode(data, &t)
		t.Archive = archive
		return err
	}, "SELECT data, archive FROM templates WHERE hash = ?", hash)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return t, err
}

// Environments that pass the filter, in its order.
func (s *Store) Environments(ctx context.Context, f store.Filter) ([]environment.Record, string, error) {
	if _, known := columns[f.Sort.By]; !known {
		return nil, "", fault.New(fault.Reject, fault.Invalid, "environments are not sorted by %q", f.Sort.By)
	}
	var after *place
	list := listOf(f)
	if err := s.resume(list, f.Cursor, &after); err != nil {
		return nil, "", err
	}
	text, args, possible := selectEnvironments(f, after)
	if !possible {
		return nil, "", nil
	}
	// Not prepared for keeps: filters have too many forms.
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, "", s.readError(ctx, err)
	}
	var value any // by which the record is sorted
	page := pageOf[environment.Record]{store: s, limit: pageLimit(f.Page), beside: []any{&value}}
	if err := s.each(ctx, rows, page.take); err != nil {
		return nil, "", err
	}
	return finish(&page, list, func(r environment.Record) any { return placeAt(value, r.Name) })
}

// Resources of an environment by address.
func (s *Store) Resources(ctx context.Context, name string, p store.Page) ([]environment.ResourceRecord, string, error) {
	after := ""
	list := []string{"resources", name}
	if err := s.resume(list, p.Cursor, &after); err != nil {
		return nil, "", err
	}
	limit := pageLimit(p)
	if p.Limit == -1 {
		limit = math.MaxInt32
	}
	page := pageOf[environment.ResourceRecord]{store: s, limit: limit}
	err := s.query(ctx, page.take, `SELECT data FROM resources WHERE environment = ? AND address > ?
		ORDER BY address LIMIT ?`, name, after, limit+1)
	if err == nil && len(page.records) == 0 {
		err = s.mustExist(ctx, name)
	}
	if err != nil {
		return nil, "", err
	}
	return finish(&page, list, func(r environment.ResourceRecord) any { return r.Address })
}

// position of an operation in its list.
type position struct {
	Started int64  `json:"s"`
	ID      string `json:"i"`
}

// Operations of an environment, those that started last first.
func (s *Store) Operations(ctx context.Context, name string, p store.Page) ([]environment.OperationRecord, string, error) {
	before := position{Started: math.MaxInt64}
	list := []string{"operations", name}
	if err := s.resume(list, p.Cursor, &before); err != nil {
		return nil, "", err
	}
	page := pageOf[environment.OperationRecord]{store: s, limit: pageLimit(p)}
	err := s.query(ctx, page.take, `SELECT data FROM operations WHERE environment = ? AND (started, id) < (?, ?)
		ORDER BY started DESC, id DESC LIMIT ?`, name, before.Started, before.ID, page.limit+1)
	if err == nil && len(page.records) == 0 {
		err = s.mustExist(ctx, name)
	}
	if err != nil {
		return nil, "", err
	}
	return finish(&page, list, func(r environment.OperationRecord) any {
		return position{Started: r.StartedAt.UnixMicro(), ID: r.ID}
	})
}

// mustExist tells an empty list from that of an environment that was never there.
func (s *Store) mustExist(ctx context.Context, name string) error {
	found := false
	err := s.query(ctx, func(*sql.Rows) error { found = true; return nil }, "SELECT 1 FROM environments WHERE name = ?", name)
	if err == nil && !found {
		return store.ErrNotFound
	}
	return err
}

// pageOf gathers a page, and one record more, which only tells that there is a next page.
type pageOf[T any] struct {
	store   *Store
	limit   int
	records []T
	more    bool
	beside  []any // where the columns behind the record go; they are those of the last one
}

func (p *pageOf[T]) take(rows *sql.Rows) error {
	if len(p.records) == p.limit {
		p.more = true
		return errEnough
	}
	var data sql.RawBytes
	if err := rows.Scan(append([]any{&data}, p.beside...)...); err != nil {
		return err
	}
	var r T
	if err := p.store.decode(data, &r); err != nil {
		return err
	}
	p.records = append(p.records, r)
	return nil
}

func finish[T any](p *pageOf[T], list []string, position func(T) any) ([]T, string, error) {
	if !p.more {
		return p.records, "", nil
	}
	cursor, err := p.store.cursor(list, position(p.records[len(p.records)-1]))
	return p.records, cursor, err
}
