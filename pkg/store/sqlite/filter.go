package sqlite

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// searchTerms is how many words go into one full-text query, which SQLite bounds.
const searchTerms = 64

// listOf names the list that a filter makes, so that a cursor of one is not taken for another's.
func listOf(f store.Filter) []string {
	list := []string{"environments", f.Text, f.Template, "status"}
	list = append(list, sorted(statusTexts(f.Statuses))...)
	list = append(append(list, "tag"), sorted(f.Tags)...)
	list = append(append(list, "health"), sorted(f.Health)...)
	if f.Drifted != nil {
		list = append(list, "drifted", strconv.FormatBool(*f.Drifted))
	}
	return append(list, f.Sort.Texts()...)
}

// columns that environments are sorted by.
var columns = map[store.Order]string{"": "name", store.ByName: "name", store.ByStatus: "status", store.ByCreatedAt: "created", store.ByUpdatedAt: "updated"}

// place of an environment in a sorted list: the text or the microseconds that it is sorted by, and its name.
type place struct {
	Text   string `json:"t,omitempty"`
	Number int64  `json:"n,omitempty"`
	Name   string `json:"e"`
}

func placeAt(value any, name string) place {
	number, _ := value.(int64)
	text, _ := value.(string)
	return place{Text: text, Number: number, Name: name}
}

// behind is the condition for what comes after a place.
func behind(sort store.Sort, after *place) (condition string, args []any) {
	than := ">"
	if sort.Descending {
		than = "<"
	}
	switch column := columns[sort.By]; {
	case after == nil:
		return "TRUE", nil
	case column == "name":
		return "name " + than + " ?", []any{after.Name}
	case column == "status":
		return "(status, name) " + than + " (?, ?)", []any{after.Text, after.Name}
	default:
		return "(" + column + ", name) " + than + " (?, ?)", []any{after.Number, after.Name}
	}
}

// ordered is the ORDER BY of a sort. Names of columns are this package's own.
func ordered(sort store.Sort) string {
	direction := ""
	if sort.Descending {
		direction = " DESC"
	}
	if column := columns[sort.By]; column != "name" {
		return column + direction + ", name" + direction
	}
	return "name" + direction
}

// selectEnvironments makes the statement of a filter. Its text depends only on how many things are asked for;
// all that users say is bound. Not possible: no environment can pass.
func selectEnvironments(f store.Filter, after *place) (text string, args []any, possible bool) {
	begin, args := behind(f.Sort, after)
	where := []string{begin}
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if health := sorted(f.Health); len(health) > 0 {
		add("health IN ("+marks(len(health))+")", anys(health)...)
	}
	if f.Drifted != nil {
		add("(drifted > 0) = ?", *f.Drifted)
	}
	if statuses := sorted(statusTexts(f.Statuses)); len(statuses) > 0 {
		add("status IN ("+marks(len(statuses))+")", anys(statuses)...)
	}
	if tags := sorted(f.Tags); len(tags) > 0 {
		add("id IN (SELECT environment FROM environment_tags WHERE tag IN ("+marks(len(tags))+
			") GROUP BY environment HAVING count(*) = ?)", append(anys(tags), len(tags))...)
	}
	if name, version, exact := cutLast(f.Template, "@"); exact {
		add("id IN (SELECT environment FROM environment_templates WHERE name = ? AND version = ?)", name, version)
	} else if f.Template != "" {
		add("id IN (SELECT environment FROM environment_templates WHERE name = ?)", f.Template)
	}
	if f.Text != "" {
		words := store.Words(f.Text)
		for chunk := range slices.Chunk(words, searchTerms) {
			add("id IN (SELECT rowid FROM environment_search WHERE environment_search MATCH ?)", "{name description tags} : ("+matchAll(chunk)+")")
		}
		if len(words) == 0 {
			return "", nil, false
		}
	}
	text = "SELECT data, " + columns[f.Sort.By] + " FROM environments WHERE " + strings.Join(where, " AND ") + " ORDER BY " + ordered(f.Sort) + " LIMIT ?"
	return text, append(args, pageLimit(f.Page)+1), true
}

// matchAll is the full-text query for records in which each word begins some word. In quotes nothing is syntax, and
// words have no quotes in them.
func matchAll(words []string) string {
	return `"` + strings.Join(words, `"* AND "`) + `"*`
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

func statusTexts(in []environment.Status) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return out
}

// sorted is a sorted copy without duplicates.
func sorted(in []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(in)))
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func anys(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}
