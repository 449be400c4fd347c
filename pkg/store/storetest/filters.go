package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// listed are the names that pass a filter, joined by spaces.
func listed(t *testing.T, s store.Store, f store.Filter) string {
	t.Helper()
	return strings.Join(names(walk(t, 2, listEnvironments(t, s, f), nil)), " ")
}

func used(templates ...string) []environment.Template {
	var made []environment.Template
	for _, text := range templates {
		name, version, _ := strings.Cut(text, "@")
		made = append(made, environment.Template{Name: name, Version: version, Hash: text})
	}
	return made
}

// sample is what the filters are tried on.
func sample(t *testing.T, s store.Store) *journal {
	t.Helper()
	j := &journal{store: s}
	j.environments(t,
		environment.Record{Name: "billing", Status: environment.Deployed, Description: "Invoices, und Zürich's Überblick",
			Tags: []string{"team:money", "tier-1", "eu"}, Templates: used("ledger@2.0.0", "notes@1.2.0")},
		environment.Record{Name: "notes-api", Status: environment.Failed, Description: "The NOTES service",
			Tags: []string{"team:notes", "eu"}, Templates: used("notes@1.2.0")},
		environment.Record{Name: "notes-web", Status: environment.Deployed, Description: "Its web page",
			Tags: []string{"team:notes"}, Templates: used("notes@1.3.0")},
		environment.Record{Name: "sandbox", Status: environment.Pending, Description: "日本語 текст", Templates: used("notes-extra@1.2.0")},
	)
	return j
}

func testFilterStatus(t *testing.T, place Reopener) {
	s := opened(t, place)
	sample(t, s)
	of := func(statuses ...environment.Status) string { return listed(t, s, store.Filter{Statuses: statuses}) }
	require.Equal(t, "billing notes-api notes-web sandbox", of())
	require.Equal(t, "billing notes-web", of(environment.Deployed))
	require.Equal(t, "billing notes-api notes-web", of(environment.Failed, environment.Deployed, environment.Failed))
	require.Empty(t, of(environment.Destroyed))
	require.Empty(t, of("unheard-of"))
}

func testFilterTags(t *testing.T, place Reopener) {
	s := opened(t, place)
	sample(t, s)
	of := func(tags ...string) string { return listed(t, s, store.Filter{Tags: tags}) }
	require.Equal(t, "billing notes-api", of("eu"))
	require.Equal(t, "notes-api", of("eu", "team:notes"))
	require.Equal(t, "notes-api", of("eu", "eu", "team:notes"), "twice the same is once")
	require.Equal(t, "billing", of("tier-1"))
	require.Empty(t, of("eu", "team:nobody"))
	require.Empty(t, of("e"), "tags are whole")
	require.Empty(t, of("EU"), "and exact")
}

func testFilterTemplate(t *testing.T, place Reopener) {
	s := opened(t, place)
	sample(t, s)
	of := func(template string) string { return listed(t, s, store.Filter{Template: template}) }
	require.Equal(t, "billing notes-api notes-web", of("notes"))
	require.Equal(t, "billing notes-api", of("notes@1.2.0"))
	require.Equal(t, "billing", of("ledger"))
	for _, none := range []string{"note", "notes@1.2", "notes@", "@1.2.0", "@", "ledger@1.2.0", "notes@1.2.0@1.2.0"} {
		require.Empty(t, of(none), none)
	}
}

func testFilterText(t *testing.T, place Reopener) {
	s := opened(t, place)
	sample(t, s)
	for text, want := range map[string]string{
		"notes": "notes-api notes-web", "NoTe": "notes-api notes-web", "notes-w": "notes-web", "web": "notes-web",
		"service": "notes-api", "ser": "notes-api", "vice": "", "service notes": "notes-api", "  notes   service ": "notes-api",
		"page its": "notes-web", "team:mon": "billing", "money": "billing", "tier-1": "billing", "eu": "billing notes-api",
		"eu inv": "billing", "invoices,": "billing", "Zürich": "billing", "über": "billing", "текст": "sandbox", "日本": "sandbox",
		"web nothing": "", "deployed": "", "notes notes not": "notes-api notes-web",
	} {
		require.Equal(t, want, listed(t, s, store.Filter{Text: text}), "%q", text)
	}
}

func testFilterTogether(t *testing.T, place Reopener) {
	s := opened(t, place)
	sample(t, s)
	f := store.Filter{Statuses: []environment.Status{environment.Deployed, environment.Failed}, Tags: []string{"eu"},
		Text: "notes", Template: "notes@1.2.0"}
	require.Equal(t, "notes-api", listed(t, s, f))
	f.Text = "o"
	require.Empty(t, listed(t, s, f))
	f.Text = "i"
	require.Equal(t, "billing", listed(t, s, f))
}

// testFilterChanges: what can be found follows the records, in both directions and over a restart.
func testFilterChanges(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := sample(t, s)
	j.environments(t, environment.Record{Name: "billing", Status: environment.Failed, Description: "closed",
		Tags: []string{"old"}, Templates: used("archive@1.0.0")})
	for range 2 {
		for _, none := range []store.Filter{
			{Text: "invoices"}, {Text: "money"}, {Tags: []string{"tier-1"}}, {Template: "ledger"},
			{Text: "billing", Statuses: []environment.Status{environment.Deployed}},
		} {
			require.Empty(t, listed(t, s, none), "%+v", none)
		}
		for _, found := range []store.Filter{
			{Text: "clos"}, {Text: "old"}, {Tags: []string{"old"}}, {Template: "archive@1.0.0"},
			{Text: "billing", Statuses: []environment.Status{environment.Failed}},
		} {
			require.Equal(t, "billing", listed(t, s, found), "%+v", found)
		}
		s = reopened(t, s, place)
	}
}

// hostile are texts that mean something to some store, or that some store can't take.
func hostile() []string {
	return []string{
		`"`, `""`, `'`, `''`, `'; DROP TABLE environments; --`, `" OR *`, `" OR * NEAR(`, `NEAR(`, `NEAR(a b, 5)`, `a NEAR b`,
		`notes AND`, `AND`, `OR`, `NOT`, `NOT notes`, `* `, `*`, `notes*`, `^notes`, `name:notes`, `{name}: x`, `-notes`, `+`, `(`, `)`, `((((`,
		`%`, `_`, `%25`, `\`, `\'`, `\\"`, `/*`, `--`, `;`, `?`, `?1`, `:name`, `@p`, `$1`, "`", `RETURN 1`, `FOR x IN y REMOVE x IN y`,
		`nothing" OR "notes`, `zzz OR notes`, `' OR '1'='1`, "\x00", "notes\x00", "\x00notes", "a\x00\" OR b", "\n\r\t", "\xff\xfe", "notes\xff",
		"🙂", "👩‍👩‍👧", "\u0301", "e\u0301", "\u202e", "\ufeff", "İ", "ﬁ", "½", "Ⅷ", "𝒳𐐷", "\U0010FFFF",
		strings.Repeat("x", 10_000), strings.Repeat(`"`, 10_000), strings.Repeat("(", 10_000), strings.Repeat("🙂", 2_500),
		strings.Repeat("ab ", 3_300), manyWords(),
	}
}

// foldable texts find what a store's folding of letters makes of them, which is its own affair.
func foldable(text string) bool {
	return strings.ContainsAny(text, "\u0301İﬁ")
}

// manyWords has thousands of different words, none of which another begins with.
func manyWords() string {
	var text strings.Builder
	for i := range 1_600 {
		text.WriteString(numbered("w", i))
		text.WriteString(" ")
	}
	return text.String()
}

func testHostileFilters(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := sample(t, s)
	// What finds something by its letters and digits, not by its syntax.
	plain := map[string]string{`notes*`: "notes-api notes-web", `^notes`: "notes-api notes-web", `-notes`: "notes-api notes-web",
		"notes\x00": "notes-api notes-web", "\x00notes": "notes-api notes-web", "notes\xff": "notes-api notes-web",
		"?1": "billing", "$1": "billing", "NOT": "notes-api notes-web", "NOT notes": "notes-api notes-web", "@p": "notes-web"}
	for _, text := range hostile() {
		got := listed(t, s, store.Filter{Text: text})
		if !foldable(text) {
			require.Equal(t, plain[text], got, "text %.40q", text)
		}
		require.Empty(t, listed(t, s, store.Filter{Tags: []string{text}}), "tag %.40q", text)
		require.Empty(t, listed(t, s, store.Filter{Tags: []string{"eu", text}}), "tag %.40q", text)
		require.Empty(t, listed(t, s, store.Filter{Template: text}), "template %.40q", text)
		require.Empty(t, listed(t, s, store.Filter{Template: "notes@" + text}), "template %.40q", text)
		require.Empty(t, listed(t, s, store.Filter{Statuses: []environment.Status{environment.Status(text)}}), "status %.40q", text)
	}
	require.Equal(t, "billing notes-api notes-web sandbox", listed(t, s, store.Filter{}), "all is still there")
	j.environments(t, environment.Record{Name: "words", Description: manyWords()})
	require.Equal(t, "words", listed(t, s, store.Filter{Text: manyWords()}), "each of many words counts")
	require.Empty(t, listed(t, s, store.Filter{Text: manyWords() + " absent"}))
}

// testHostileValues: such texts in records are kept and found again.
func testHostileValues(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	for i, text := range hostile() {
		text = strings.ToValidUTF8(text, "?") // JSON has no other text
		name := numbered("h", i)
		e := environment.Record{Name: name, Status: environment.Deployed, Description: text, Tags: []string{text, name},
			Templates: []environment.Template{{Name: name, Version: text}}}
		r := resource(name, "n.noop.x["+text+"]", text)
		j.change(t, environment.Changes{Created: []string{name}, Environments: []environment.Record{e},
			Resources: []environment.ResourceRecord{r}, Operations: []environment.OperationRecord{operation(name, text+name, 0)}})
		got, err := s.Environment(t.Context(), name)
		require.NoError(t, err, "%.40q", text)
		sameJSON(t, e, got)
		resources, _, err := s.Resources(t.Context(), name, store.Page{Limit: -1})
		require.NoError(t, err, "%.40q", text)
		sameJSON(t, []environment.ResourceRecord{r}, resources)
		require.Equal(t, name, listed(t, s, store.Filter{Tags: []string{text, name}}), "%.40q", text)
		if !strings.Contains(text, "@") {
			require.Equal(t, name, listed(t, s, store.Filter{Template: name + "@" + text}), "%.40q", text)
		}
		require.NoError(t, s.AppendLogs(t.Context(), event.Logs{
			TaskRef: event.TaskRef{Environment: name, Operation: text, Step: text, Attempt: 1},
			Lines:   []event.LogLine{{Stream: "out", Text: text}},
		}))
		lines, err := s.ReadLogs(t.Context(), store.LogSelection{Environment: name, Operation: text, Step: text})
		require.NoError(t, err, "%.40q", text)
		require.Len(t, lines, 1)
		require.Equal(t, text, lines[0].Text)
	}
}
