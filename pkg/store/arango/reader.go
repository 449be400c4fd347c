package arango

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// pageLimit is the number of records in a page.
func pageLimit(p store.Page) int {
	if p.Limit <= 0 {
		return defaultPage
	}
	return min(p.Limit, maxPage)
}

// decode reads a record that this package wrote; when it can't, the document is damaged.
func (s *Store) decode(data string, record any) error {
	if err := json.Unmarshal([]byte(data), record); err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Internal, "a %T in the database %s is damaged; restore it from a backup", record, s.options.Database)
	}
	return nil
}

// Environment by name.
func (s *Store) Environment(ctx context.Context, name string) (r environment.Record, err error) {
	data, found, err := askOne[string](ctx, s, "document", binds{"@collection": "environments", "key": keyOf(name)})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return r, err
	}
	return r, s.decode(data, &r)
}

// Template by hash.
func (s *Store) Template(ctx context.Context, hash string) (t store.TemplateRecord, err error) {
	row, found, err := askOne[struct {
		Data    string `json:"data"`
		Archive []byte `json:"archive"`
	}](ctx, s, "template", binds{"key": keyOf(hash)})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return t, err
	}
	err = s.decode(row.Data, &t)
	t.Archive = row.Archive
	return t, err
}

func statusTexts(in []environment.Status) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return sorted(out)
}

// sorted is a sorted copy without duplicates, never nil.
func sorted(in []string) []string {
	return append([]string{}, slices.Compact(slices.Sorted(slices.Values(in)))...)
}

// selection chooses the index that promises to leave the fewest: a tag, a word, a template, a status, in this order; in another order
// than by name it goes along the index of that. The query looks at all that is asked for, whichever index it takes.
func selection(f store.Filter, words []string) (string, binds) {
	tags := []string{}
	for _, t := range sorted(f.Tags) {
		tags = append(tags, keyOf(t))
	}
	b := binds{"statuses": statusTexts(f.Statuses), "tags": tags, "template": templateKey(f.Template), "words": words,
		"health": sorted(f.Health), "drifted": driftText(f.Drifted)}
	if query := sortedQuery(f.Sort); query != "" {
		return query, b
	}
	switch {
	case len(tags) > 0:
		b["first"] = tags[0]
		return "environments_by_tag", b
	case len(words) > 0:
		b["first"] = words[0]
		return "environments_by_word", b
	case f.Template != "":
		b["first"] = b["template"]
		return "environments_by_template", b
	case len(f.Statuses) > 0:
		return "environments_by_status", b
	}
	return "environments", b
}

// templateKey is that of name, or of name@version.
func templateKey(text string) string {
	if text == "" {
		return ""
	}
	if i := lastIndex(text, '@'); i >= 0 {
		return keyOf(text[:i], text[i+1:])
	}
	return keyOf(text)
}

func lastIndex(text string, b byte) int {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == b {
			return i
		}
	}
	return -1
}

// Resources of an environment by address.
func (s *Store) Resources(ctx context.Context, name string, p store.Page) ([]environment.ResourceRecord, string, error) {
	after := ""
	list := []string{"resources", name}
	if err := s.key.Read(list, p.Cursor, &after); err != nil {
		return nil, "", err
	}
	limit := pageLimit(p)
	if p.Limit == -1 {
		limit = math.MaxInt32
	}
	rows, err := ask[string](ctx, s, "resources", binds{"home": keyOf(name), "after": placeOf(after), "limit": limit + 1})
	if err == nil && len(rows) == 0 {
		err = s.mustExist(ctx, "environments", keyOf(name))
	}
	if err != nil {
		return nil, "", err
	}
	return page(s, rows, limit, list, func(r environment.ResourceRecord) any { return r.Address })
}

// position of an operation in its list.
type position struct {
	Started int64  `json:"s"`
	ID      string `json:"i"`
}

// Operations of an environment, those that started last first.
func (s *Store) Operations(ctx context.Context, name string, p store.Page) ([]environment.OperationRecord, string, error) {
	before := position{Started: 1 << 53}
	list := []string{"operations", name}
	if err := s.key.Read(list, p.Cursor, &before); err != nil {
		return nil, "", err
	}
	rows, err := ask[string](ctx, s, "operations", binds{"home": keyOf(name), "started": before.Started,
		"before": placeOf(before.ID), "limit": pageLimit(p) + 1})
	if err == nil && len(rows) == 0 {
		err = s.mustExist(ctx, "environments", keyOf(name))
	}
	if err != nil {
		return nil, "", err
	}
	return page(s, rows, pageLimit(p), list, func(r environment.OperationRecord) any {
		return position{Started: r.StartedAt.UnixMicro(), ID: r.ID}
	})
}

// mustExist tells an empty list from that of something that was never there.
func (s *Store) mustExist(ctx context.Context, collection, key string) error {
	_, found, err := askOne[bool](ctx, s, "exists", binds{"@collection": collection, "key": key})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return err
}

// page decodes the records of a page, and makes a cursor where there is one more.
func page[T any](s *Store, rows []string, limit int, list []string, position func(T) any) ([]T, string, error) {
	more := len(rows) > limit
	rows = rows[:min(len(rows), limit)]
	records := make([]T, len(rows))
	for i, data := range rows {
		if err := s.decode(data, &records[i]); err != nil {
			return nil, "", err
		}
	}
	if !more {
		return records, "", nil
	}
	cursor, err := s.key.Make(list, position(records[len(records)-1]))
	return records, cursor, err
}
