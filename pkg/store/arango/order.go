package arango

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// listOf names the list that a filter makes, so that a cursor of one is not taken for another's.
func listOf(f store.Filter) []string {
	list := []string{"environments", f.Text, f.Template, "status"}
	list = append(list, statusTexts(f.Statuses)...)
	list = append(append(list, "tag"), sorted(f.Tags)...)
	list = append(append(list, "health"), sorted(f.Health)...)
	return append(append(list, "drifted", driftText(f.Drifted)), f.Sort.Texts()...)
}

// driftText is empty when it is not asked for.
func driftText(drifted *bool) string {
	if drifted == nil {
		return ""
	}
	return strconv.FormatBool(*drifted)
}

// sortedQueries are those of the orders, ascending and descending. Those by name alone, upwards, choose their index otherwise.
var sortedQueries = map[store.Order][2]string{
	"": {"", "environments_name_down"}, store.ByName: {"", "environments_name_down"},
	store.ByStatus:    {"environments_status_up", "environments_status_down"},
	store.ByCreatedAt: {"environments_created_up", "environments_created_down"},
	store.ByUpdatedAt: {"environments_updated_up", "environments_updated_down"},
}

func sortedQuery(s store.Sort) string {
	if s.Descending {
		return sortedQueries[s.By][1]
	}
	return sortedQueries[s.By][0]
}

// Ends of what a list may be sorted by: behind all texts in hexadecimal, and before and behind all numbers that the server has exactly.
const (
	behindTexts = "g"
	mostNumber  = 1 << 53
)

// listPlace of an environment in a sorted list: what it is sorted by, a text in hexadecimal or microseconds since 1970, and its name.
type listPlace struct {
	Text   string `json:"t,omitempty"`
	Number int64  `json:"n,omitempty"`
	Name   string `json:"e"`
}

// begin binds where a list begins, or goes on behind a place.
func begin(b binds, s store.Sort, after *listPlace) {
	number, text, name := int64(-mostNumber), "", ""
	if s.Descending {
		number, text, name = mostNumber, behindTexts, behindTexts
	}
	if after != nil {
		number, text, name = after.Number, after.Text, placeOf(after.Name)
	}
	b["after"] = name
	switch s.By {
	case store.ByStatus:
		b["value"] = text
	case store.ByCreatedAt, store.ByUpdatedAt:
		b["value"] = number
	}
}

// sortedRow is a record with what it is sorted by.
type sortedRow struct {
	Data  string          `json:"data"`
	Value json.RawMessage `json:"value"`
}

// UnmarshalJSON takes the row of a query by name, too, which is the record alone.
func (r *sortedRow) UnmarshalJSON(text []byte) error {
	type plain sortedRow
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &r.Data)
	}
	return json.Unmarshal(text, (*plain)(r))
}

func (r *sortedRow) place(name string) listPlace {
	p := listPlace{Name: name}
	if json.Unmarshal(r.Value, &p.Text) != nil {
		var number float64
		_ = json.Unmarshal(r.Value, &number) // it is either
		p.Number = int64(number)
	}
	return p
}

// Environments that pass the filter, in its order.
func (s *Store) Environments(ctx context.Context, f store.Filter) ([]environment.Record, string, error) {
	if _, known := sortedQueries[f.Sort.By]; !known {
		return nil, "", fault.New(fault.Reject, fault.Invalid, "environments are not sorted by %q", f.Sort.By)
	}
	var after *listPlace
	names := listOf(f)
	if err := s.key.Read(names, f.Cursor, &after); err != nil {
		return nil, "", err
	}
	words := cutWords(store.Words(f.Text))
	if f.Text != "" && len(words) == 0 {
		return nil, "", nil
	}
	query, b := selection(f, words)
	begin(b, f.Sort, after)
	b["limit"] = pageLimit(f.Page) + 1
	rows, err := ask[sortedRow](ctx, s, query, b)
	if err != nil {
		return nil, "", err
	}
	texts := make([]string, len(rows))
	for i := range rows {
		texts[i] = rows[i].Data
	}
	limit := pageLimit(f.Page)
	return page(s, texts, limit, names, func(r environment.Record) any { return rows[limit-1].place(r.Name) })
}
