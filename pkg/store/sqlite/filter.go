package sqlite

import (
	"slices"
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
	return append(append(list, "tag"), sorted(f.Tags)...)
}

// selectEnvironments makes the statement of a filter. Its text depends only on how many things are asked for;
// all that users say is bound. Not possible: no environment can pass.
func selectEnvironments(f store.Filter, after string) (text string, args []any, possible bool) {
	where := []string{"name > ?"}
	args = []any{after}
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
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
	text = "SELECT data FROM environments WHERE " + strings.Join(where, " AND ") + " ORDER BY name LIMIT ?"
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
