package arango

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/arangodb/go-driver/v2/arangodb"
)

// documented are the functions and keywords of AQL's documentation that the queries may use.
var (
	functions = []string{"FIRST", "MAX", "SUM", "APPEND", "UNIQUE", "UNSET", "MERGE", "LEFT", "CHAR_LENGTH", "CONCAT", "STARTS_WITH", "BOOST", "BM25",
		"JSON_PARSE", "DATE_TIMESTAMP", "LOWER", "TO_HEX"}
	keywords = []string{"FOR", "IN", "FILTER", "RETURN", "SORT", "LIMIT", "LET", "INSERT", "INTO", "UPSERT", "UPDATE", "WITH", "REMOVE",
		"OPTIONS", "NEW", "OLD", "AND", "OR", "ALL", "DESC", "OUTBOUND", "INBOUND", "GRAPH", "SHORTEST_PATH", "TO", "SEARCH"}
	// reserved words of AQL that would have to be quoted as names of attributes and variables.
	reserved = []string{"aggregate", "all", "and", "any", "asc", "collect", "desc", "distinct", "false", "filter", "for", "graph", "in",
		"inbound", "insert", "into", "let", "like", "limit", "none", "not", "null", "or", "outbound", "remove", "replace", "return",
		"sort", "true", "update", "upsert", "window", "with"}
)

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	upper     = regexp.MustCompile(`\b[A-Z][A-Z0-9_]+\b(\s*\()?`)
	attribute = regexp.MustCompile(`[a-zA-Z_)\]]\.([a-z_]+)`)
	source_   = regexp.MustCompile(`\bFOR\s+([a-z]+)(?:,\s*[a-z]+)*\s+IN\s+([a-z_]+)\b`)
	target    = regexp.MustCompile(`\b(?:INTO|REMOVE [a-z]+ IN|UPDATE [a-z]+ WITH \{[^}]*\} IN)\s+([a-z_]+)\b`)
	variable  = regexp.MustCompile(`\b(?:FOR|LET)\s+([a-z]+)(?:,\s*([a-z]+))?`)
)

// TestQueriesKeepToTheLanguage is as much as can be said of AQL without a server: brackets, words, collections, parameters.
func TestQueriesKeepToTheLanguage(t *testing.T) {
	require.Greater(t, len(queries), 50)
	for name, text := range queries {
		t.Run(name, func(t *testing.T) {
			require.True(t, strings.HasPrefix(text, "// "), "a query begins by saying what it is for, and which index it uses")
			bare := quoted.ReplaceAllString(withoutComments(text), `""`)
			requireBalanced(t, bare)
			for _, word := range upper.FindAllString(parameter.ReplaceAllString(bare, "x"), -1) {
				if call := strings.TrimRight(word, "( "); strings.HasSuffix(word, "(") && !slices.Contains(keywords, call) {
					require.Contains(t, functions, call)
				} else {
					require.Contains(t, keywords, call)
				}
			}
			for _, found := range attribute.FindAllStringSubmatch(bare, -1) {
				require.NotContains(t, reserved, found[1])
			}
			requireCollections(t, bare)
			require.NotContains(t, text, "%", "nothing is formatted into a query")
		})
	}
}

func requireBalanced(t *testing.T, text string) {
	t.Helper()
	var open []rune
	pairs := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, r := range text {
		switch {
		case strings.ContainsRune("([{", r):
			open = append(open, r)
		case pairs[r] != 0:
			require.NotEmpty(t, open, "a %c too many", r)
			require.Equal(t, pairs[r], open[len(open)-1])
			open = open[:len(open)-1]
		}
	}
	require.Empty(t, open, "a bracket is not closed")
}

// requireCollections: what is read and written is a collection of the schema, the view, a variable or a parameter.
func requireCollections(t *testing.T, text string) {
	t.Helper()
	known := slices.Concat(slices.Collect(maps.Keys(documents)), edgeKinds, []string{viewName})
	for _, found := range variable.FindAllStringSubmatch(text, -1) {
		known = append(known, found[1], found[2])
	}
	for _, r := range []*regexp.Regexp{source_, target} {
		for _, found := range r.FindAllStringSubmatch(text, -1) {
			require.Contains(t, known, found[len(found)-1])
		}
	}
}

var comment = regexp.MustCompile(`(?:index: |, )?([a-z_]+) \(([a-z_*\[\], ]+)\)`)

// TestCommentsNameIndexesThatAreMade: an index that a query says it uses is one of the schema's.
func TestCommentsNameIndexesThatAreMade(t *testing.T) {
	all := map[string][]index{}
	maps.Copy(all, documents)
	maps.Copy(all, edges)
	said := 0
	for name, text := range queries {
		require.Regexp(t, `(?m)^//.*\b(index|scan|error 1210)\b`, text, name)
		for _, line := range strings.Split(text, "\n") {
			if _, after, ok := strings.Cut(line, "index: "); ok && strings.HasPrefix(line, "//") {
				for _, found := range comment.FindAllStringSubmatch(after, -1) {
					said++
					fields := strings.Split(found[2], ", ")
					require.True(t, slices.ContainsFunc(all[found[1]], func(i index) bool { return slices.Equal(i.fields, fields) }),
						"%s: there is no index %v on %s", name, fields, found[1])
				}
			}
		}
	}
	require.Greater(t, said, 25)
}

// TestQueriesUseTheirIndexes asks a real server how it would do each query: none may read a whole collection, unless it
// says so.
func TestQueriesUseTheirIndexes(t *testing.T) {
	s, err := Open(t.Context(), freshDatabase(t, realServer(t), 0))
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for name, text := range queries {
		plan, err := s.db.ExplainQuery(t.Context(), text, sampleBinds(text), &arangodb.ExplainQueryOptions{})
		require.NoError(t, err, "%s: %s", name, text)
		for _, node := range plan.Plan.NodesRaw {
			if node["type"] == "EnumerateCollectionNode" && !strings.Contains(text, "scan: ") {
				t.Errorf("%s reads all of %v", name, node["collection"])
			}
		}
	}
}

// sampleBinds are values of the right kind for every parameter.
func sampleBinds(text string) map[string]any {
	values := map[string]any{"@collection": "environments", "@edges": "depends_on", "docs": []any{map[string]any{"_key": "a", "seq": 1}},
		"ids": []any{"resources/a"}, "keys": []any{"a"}, "sources": []any{map[string]any{"home": "a", "operation": "", "template": ""}}, "statuses": []any{"failed"},
		"tags": []any{"a"}, "words": []any{"61"}, "kinds": []any{"environment"}, "health": []any{"healthy"}, "drifted": "", "value": 1, "whole": true, "start": "resources/a", "end": "resources/b"}
	for _, number := range []string{"limit", "after", "seq", "partition", "low", "high", "inner", "count", "attempt", "lines", "now", "last",
		"started", "epoch", "before"} {
		values[number] = 1
	}
	binds := map[string]any{}
	for _, name := range parameters(text) {
		v, ok := values[name]
		if !ok || (name == "after" || name == "before") && strings.Contains(text, "place") {
			v = "a"
		}
		binds[name] = v
	}
	return binds
}
