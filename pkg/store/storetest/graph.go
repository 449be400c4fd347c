package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// shared, web and edge are three environments: web uses outputs of shared, edge one of web.
//
//	shared: net <- db (net), disk (net)                    outputs: vpc from net, dsn from db, name from nothing
//	web:    app <- job (app); app consumes shared.vpc and shared.dsn; job consumes shared.name
//	edge:   cdn consumes web.url, which comes from app
func sharedWorld(t *testing.T, s store.Store) *journal {
	t.Helper()
	j := &journal{store: s}
	consuming := func(r environment.ResourceRecord, c ...environment.Consumption) environment.ResourceRecord {
		r.Consumes = c
		return r
	}
	from := func(name, output string, resources ...string) environment.Consumption {
		return environment.Consumption{Environment: name, Output: output, Resources: resources}
	}
	j.change(t, environment.Changes{
		Created:      []string{"shared", "web", "edge"},
		Environments: []environment.Record{record("shared"), record("web"), record("edge")},
		Resources: []environment.ResourceRecord{
			resource("shared", "net"), resource("shared", "db", "net"), resource("shared", "disk", "net"),
			consuming(resource("web", "app"), from("shared", "vpc", "net"), from("shared", "dsn", "db")),
			consuming(resource("web", "job", "app"), from("shared", "name")),
			consuming(resource("edge", "cdn"), from("web", "url", "app")),
		},
	})
	return j
}

// drawn is a walk's answer as text: vertices with their distances, and how many edges there are.
func drawn(t *testing.T, s store.Store, w store.Walk) string {
	t.Helper()
	r, err := s.Walk(t.Context(), w)
	require.NoError(t, err)
	require.False(t, r.Truncated)
	var parts []string
	for _, v := range r.Vertices {
		parts = append(parts, fmt.Sprintf("%s/%s:%d", v.Environment, v.Address, v.Depth))
	}
	return strings.Join(parts, " ") + fmt.Sprintf(" (%d)", len(r.Edges))
}

func testWalk(t *testing.T, place Reopener) {
	s := opened(t, place)
	sharedWorld(t, s)
	for range 2 {
		for _, depth := range []int{0, 8, 9, 1000} {
			down := func(e, a string) store.Walk {
				return store.Walk{From: store.Ref{Environment: e, Address: a}, Direction: store.Dependencies, Depth: depth}
			}
			up := func(e, a string) store.Walk {
				return store.Walk{From: store.Ref{Environment: e, Address: a}, Direction: store.Dependents, Depth: depth}
			}
			require.Equal(t, " (0)", drawn(t, s, down("shared", "net")))
			require.Equal(t, "web/app:1 shared/db:2 shared/net:2 (4)", drawn(t, s, down("edge", "cdn")))
			require.Equal(t, "shared/:1 web/app:1 shared/db:2 shared/net:2 (5)", drawn(t, s, down("web", "job")))
			require.Equal(t, "shared/db:1 shared/disk:1 web/app:1 edge/cdn:2 web/job:2 (6)", drawn(t, s, up("shared", "net")))
			require.Equal(t, " (0)", drawn(t, s, up("shared", "disk")))
			require.Equal(t, "web/app:1 web/job:1 edge/cdn:2 (5)", drawn(t, s, up("shared", "")), "an environment as a whole")
			require.Equal(t, "shared/:1 shared/db:1 shared/net:1 (4)", drawn(t, s, down("web", "")))
		}
		require.Equal(t, "web/app:1 (1)", drawn(t, s, store.Walk{From: store.Ref{Environment: "edge", Address: "cdn"}, Direction: store.Dependencies, Depth: 1}))
		require.Equal(t, "shared/db:1 shared/disk:1 web/app:1 (3)", drawn(t, s, store.Walk{From: store.Ref{Environment: "shared", Address: "net"}, Direction: store.Dependents, Depth: 1}))
		s = reopened(t, s, place)
	}
	r, err := s.Walk(t.Context(), store.Walk{From: store.Ref{Environment: "edge", Address: "cdn"}, Direction: store.Dependencies, Depth: 1})
	require.NoError(t, err)
	require.Equal(t, []store.Vertex{{Ref: store.Ref{Environment: "web", Address: "app"}, Depth: 1, Status: environment.Pending, Type: "resource", Executor: "noop"}}, r.Vertices)
	require.Equal(t, []store.Edge{{From: store.Ref{Environment: "edge", Address: "cdn"}, To: store.Ref{Environment: "web", Address: "app"},
		Kind: store.Consumes, Output: "url"}}, r.Edges)
}

// testWalkShapes: many ways to one vertex, and a walk longer than any stack.
func testWalkShapes(t *testing.T, place Reopener) {
	s := opened(t, place)
	c := environment.Changes{Created: []string{"a"}, Environments: []environment.Record{record("a")}}
	c.Resources = append(c.Resources, resource("a", "l00-0"))
	for layer := 1; layer < 20; layer++ { // 4 to the 19th ways from top to bottom
		for i := range 4 {
			var depends []string
			for k := range min(4, 1+(layer-1)*3) {
				depends = append(depends, fmt.Sprintf("l%02d-%d", layer-1, k))
			}
			c.Resources = append(c.Resources, resource("a", fmt.Sprintf("l%02d-%d", layer, i), depends...))
		}
	}
	for i := range 1500 {
		r := resource("a", numbered("chain", i))
		if i > 0 {
			r.DependsOn = []string{numbered("chain", i-1)}
		}
		c.Resources = append(c.Resources, r)
	}
	(&journal{store: s}).change(t, c)
	walk := func(address string, d store.Direction, depth int) store.Reach {
		r, err := s.Walk(t.Context(), store.Walk{From: store.Ref{Environment: "a", Address: address}, Direction: d, Depth: depth})
		require.NoError(t, err)
		return r
	}
	require.Len(t, walk("l19-0", store.Dependencies, 0).Vertices, 73)
	require.Len(t, walk("l00-0", store.Dependents, 0).Vertices, 76)
	require.Len(t, walk("l00-0", store.Dependents, 5).Vertices, 20)
	require.Len(t, walk("l00-0", store.Dependents, 12).Vertices, 48)
	chain := walk(numbered("chain", 1499), store.Dependencies, 0)
	require.Len(t, chain.Vertices, 1499)
	require.Equal(t, 1499, chain.Vertices[1498].Depth)
	require.Len(t, walk(numbered("chain", 1499), store.Dependencies, 700).Vertices, 700)
	way, err := s.Path(t.Context(), store.Ref{Environment: "a", Address: "l19-3"}, store.Ref{Environment: "a", Address: "l00-0"})
	require.NoError(t, err)
	require.Len(t, way, 19)
}

func testPath(t *testing.T, place Reopener) {
	s := opened(t, place)
	sharedWorld(t, s)
	way := func(from, to string) string {
		a, b, _ := strings.Cut(from, "/")
		c, d, _ := strings.Cut(to, "/")
		edges, err := s.Path(t.Context(), store.Ref{Environment: a, Address: b}, store.Ref{Environment: c, Address: d})
		require.NoError(t, err)
		var parts []string
		for _, e := range edges {
			parts = append(parts, string(e.Kind)+" "+e.To.Environment+"/"+e.To.Address)
		}
		return strings.Join(parts, ", ")
	}
	require.Equal(t, "consumes web/app, consumes shared/net", way("edge/cdn", "shared/net"))
	require.Equal(t, "depends_on web/app, consumes shared/db", way("web/job", "shared/db"))
	require.Empty(t, way("shared/net", "edge/cdn"), "edges have a direction")
	require.Empty(t, way("shared/db", "shared/disk"))
	require.Empty(t, way("shared/db", "shared/db"))
	_, err := s.Path(t.Context(), store.Ref{Environment: "web", Address: "app"}, store.Ref{Environment: "web", Address: "none"})
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Path(t.Context(), store.Ref{Environment: "none", Address: "app"}, store.Ref{Environment: "web", Address: "app"})
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testConsumers(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := sharedWorld(t, s)
	consumers := func(name string) string {
		edges, err := s.Consumers(t.Context(), name)
		require.NoError(t, err)
		var parts []string
		for _, e := range edges {
			require.Equal(t, name, e.To.Environment)
			parts = append(parts, e.From.Environment+"/"+e.From.Address+" "+e.Output)
		}
		return strings.Join(parts, ", ")
	}
	require.Equal(t, "web/app dsn, web/app vpc, web/job name", consumers("shared"))
	require.Equal(t, "edge/cdn url", consumers("web"))
	require.Empty(t, consumers("edge"))
	require.Empty(t, consumers("none"))
	early := resource("web", "early")
	early.Consumes = []environment.Consumption{{Environment: "none", Output: "late"}}
	j.change(t, environment.Changes{Resources: []environment.ResourceRecord{early}})
	require.Equal(t, "web/early late", consumers("none"), "it waits for what is not there yet")

	// A resource that no longer consumes, one that is destroyed, and an environment that is.
	job := resource("web", "job", "app")
	app := resource("web", "app")
	app.Consumes = []environment.Consumption{{Environment: "shared", Output: "vpc", Resources: []string{"net"}}}
	j.change(t, environment.Changes{Resources: []environment.ResourceRecord{job, app}})
	require.Equal(t, "web/app vpc", consumers("shared"))
	app.Status = environment.Destroyed
	j.change(t, environment.Changes{Resources: []environment.ResourceRecord{app}})
	require.Empty(t, consumers("shared"))
	gone := record("edge")
	gone.Status = environment.Destroyed
	j.environments(t, gone)
	require.Empty(t, consumers("web"))
	j.change(t, environment.Changes{Created: []string{"edge"}, Environments: []environment.Record{record("edge")}})
	require.Empty(t, consumers("web"), "made again, it consumes nothing")
}

func testGraphMissing(t *testing.T, place Reopener) {
	s := opened(t, place)
	sharedWorld(t, s)
	for _, text := range append(hostile(), "none") {
		for _, ref := range []store.Ref{{Environment: text}, {Environment: text, Address: "net"}, {Environment: "shared", Address: text}} {
			for _, d := range []store.Direction{store.Dependencies, store.Dependents} {
				_, err := s.Walk(t.Context(), store.Walk{From: ref, Direction: d, Depth: 3})
				require.ErrorIs(t, err, store.ErrNotFound, "%.40q", text)
			}
			_, err := s.Lineage(t.Context(), ref)
			require.ErrorIs(t, err, store.ErrNotFound, "%.40q", text)
		}
	}
}

// testOperationsApart: the ids of operations count within their environment.
func testOperationsApart(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	a, b := operation("a", "op-1", 0), operation("b", "op-1", 1)
	b.RequestedBy = "somebody else"
	j.change(t, environment.Changes{Environments: []environment.Record{record("a"), record("b")}, Operations: []environment.OperationRecord{a, b}})
	for name, want := range map[string]environment.OperationRecord{"a": a, "b": b} {
		got, _, err := s.Operations(t.Context(), name, store.Page{})
		require.NoError(t, err)
		sameJSON(t, []environment.OperationRecord{want}, got)
	}
}

func testLineage(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	made := resource("a", "notes.noop.x")
	made.CreatedBy = "op-2"
	fresh := resource("a", "notes.noop.y")
	first, second := operation("a", "op-1", 0), operation("a", "op-2", 5)
	second.RequestedBy = "/teams/notes"
	j.change(t, environment.Changes{Created: []string{"a"}, Environments: []environment.Record{record("a")},
		Resources: []environment.ResourceRecord{made, fresh}, Operations: []environment.OperationRecord{first, second}})
	l, err := s.Lineage(t.Context(), store.Ref{Environment: "a", Address: "notes.noop.x"})
	require.NoError(t, err)
	sameJSON(t, store.Lineage{Resource: made, Environment: record("a"), Template: record("a").Templates[0], Operation: &second}, l)
	l, err = s.Lineage(t.Context(), store.Ref{Environment: "a", Address: "notes.noop.y"})
	require.NoError(t, err)
	require.Nil(t, l.Operation)
}

func testMade(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	environments := map[string]environment.Template{
		"a": {Name: "notes", Version: "1.0.0", Hash: "h1", Commit: "0123456789abcdef"},
		"b": {Name: "notes", Version: "1.1.0", Hash: "h2", Commit: "0123456fffffffff-dirty"},
		"c": {Name: "ledger", Version: "1.0.0", Hash: "h3", Commit: "0123456789abcdef"},
	}
	for _, name := range []string{"a", "b", "c"} {
		e := record(name)
		e.Templates = []environment.Template{environments[name]}
		c := environment.Changes{Created: []string{name}, Environments: []environment.Record{e}}
		for i := range 5 {
			r := resource(name, numbered("r", i))
			r.Template, r.CreatedBy = e.Templates[0].Name, fmt.Sprintf("op-%d", 1+i%2)
			c.Resources = append(c.Resources, r)
		}
		other := operation(name, "op-2", 1)
		other.RequestedBy = "/people/" + name
		c.Operations = []environment.OperationRecord{operation(name, "op-1", 0), other}
		j.change(t, c)
	}
	made := func(o store.Origin) string {
		refs := walk(t, 2, func(p store.Page) ([]store.Ref, string, error) { o.Page = p; return s.Made(t.Context(), o) }, nil)
		count := map[string]int{}
		for _, r := range refs {
			count[r.Environment]++
		}
		return fmt.Sprint(count)
	}
	require.Equal(t, "map[a:5 b:5]", made(store.Origin{Template: "notes"}))
	require.Equal(t, "map[b:5]", made(store.Origin{Template: "notes", Version: "1.1.0"}))
	require.Equal(t, "map[a:5 c:5]", made(store.Origin{Commit: "0123456789abcdef"}))
	require.Equal(t, "map[a:5 b:5 c:5]", made(store.Origin{Commit: "0123456"}))
	require.Equal(t, "map[a:3]", made(store.Origin{Environment: "a", Operation: "op-1"}))
	require.Equal(t, "map[c:2]", made(store.Origin{RequestedBy: "/people/c"}))
	require.Equal(t, "map[a:3 b:3 c:3]", made(store.Origin{RequestedBy: "test"}))
	require.Equal(t, "map[]", made(store.Origin{Template: "notes", RequestedBy: "/people/c"}))
	used := func(o store.Origin) string {
		uses := walk(t, 1, func(p store.Page) ([]store.Use, string, error) { o.Page = p; return s.Usage(t.Context(), o) }, nil)
		var parts []string
		for _, u := range uses {
			require.Equal(t, environments[u.Environment], u.Template)
			require.Equal(t, environment.Deploying, u.Status)
			parts = append(parts, u.Environment)
		}
		return strings.Join(parts, " ")
	}
	require.Equal(t, "a b", used(store.Origin{Template: "notes"}))
	require.Equal(t, "a", used(store.Origin{Template: "notes", Version: "1.0.0"}))
	require.Equal(t, "a c", used(store.Origin{Version: "1.0.0"}))
	require.Equal(t, "a b c", used(store.Origin{Commit: "0123456"}))
	require.Equal(t, "b", used(store.Origin{Commit: "0123456f"}))
	for _, text := range hostile() {
		require.Empty(t, used(store.Origin{Template: text}), "%.40q", text)
		require.Equal(t, "map[]", made(store.Origin{Template: "notes", Operation: text}), "%.40q", text)
	}
	for _, bad := range []store.Origin{{}, {Commit: "0123"}, {Page: store.Page{Limit: 5}}} {
		_, _, err := s.Usage(t.Context(), bad)
		require.Error(t, err)
		_, _, err = s.Made(t.Context(), bad)
		require.Error(t, err)
	}
}

// found are the hits of a search, best first.
func found(t *testing.T, s store.Store, q store.Search) string {
	t.Helper()
	hits, err := s.Search(t.Context(), q)
	require.NoError(t, err)
	var parts []string
	for i, h := range hits {
		require.False(t, i > 0 && h.Score > hits[i-1].Score, "the best come first")
		require.NotEmpty(t, h.Status)
		parts = append(parts, strings.TrimSuffix(h.Environment+"/"+h.Address, "/"))
	}
	return strings.Join(parts, " ")
}

// finds waits until a search finds what it should: an index may be some time behind what is written.
func finds(t *testing.T, s store.Store, q store.Search, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if got = found(t, s, q); got == want || time.Now().After(deadline) {
			break
		}
	}
	require.Equal(t, want, got, "%q", q.Text)
}

func testSearch(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := sample(t, s)
	sealed := json.RawMessage(`{"url":"https://wiki.example.test","token":{"$sealed":"v1.c2VjcmV0d29yZA"},"ports":[8080],"up":true}`)
	e := environment.Record{Name: "wiki", Status: environment.Deployed, Description: "Knowledge about billing", Outputs: sealed}
	r := resource("wiki", "wiki.container.server")
	r.Description, r.Outputs = "Serves the pages", json.RawMessage(`{"address":"10.9.8.7"}`)
	j.change(t, environment.Changes{Created: []string{"wiki"}, Environments: []environment.Record{e}, Resources: []environment.ResourceRecord{r}})
	check := func() {
		t.Helper()
		for text, want := range map[string]string{
			"billing": "billing wiki", "BILL": "billing wiki", "knowledge": "wiki", "server": "wiki/wiki.container.server", "pages": "wiki/wiki.container.server",
			"10.9.8.7": "wiki/wiki.container.server", "8080": "wiki", "wiki.example": "wiki", "c2VjcmV0d29yZA": "", "sealed": "", "sensitive": "",
			"team:money": "billing", "": "", "!?": "", "billing nothing": "", "container wiki": "wiki/wiki.container.server",
		} {
			finds(t, s, store.Search{Text: text}, want)
		}
	}
	check()
	s = reopened(t, s, place)
	j.store = s
	check()
	finds(t, s, store.Search{Text: "wiki", Kind: store.ResourceHit}, "wiki/wiki.container.server")
	finds(t, s, store.Search{Text: "wiki", Kind: store.EnvironmentHit}, "wiki")
	finds(t, s, store.Search{Text: "billing", Limit: 1}, "billing")
	_, err := s.Search(t.Context(), store.Search{Text: "x", Kind: "nonsense"})
	require.Error(t, err)
	require.Empty(t, listed(t, s, store.Filter{Text: "8080"}), "filters look at names, descriptions and tags only")

	e.Outputs, r.Outputs, r.Description = nil, nil, "Moved"
	j.change(t, environment.Changes{Environments: []environment.Record{e}, Resources: []environment.ResourceRecord{r}})
	finds(t, s, store.Search{Text: "8080"}, "")
	finds(t, s, store.Search{Text: "10.9.8.7"}, "")
	finds(t, s, store.Search{Text: "pages"}, "")
	finds(t, s, store.Search{Text: "moved"}, "wiki/wiki.container.server")
	j.change(t, environment.Changes{Created: []string{"wiki"}, Environments: []environment.Record{e}})
	finds(t, s, store.Search{Text: "moved"}, "")
}

func testHostileSearch(t *testing.T, place Reopener) {
	s := opened(t, place)
	sample(t, s)
	for _, text := range hostile() {
		_, err := s.Search(t.Context(), store.Search{Text: text})
		require.NoError(t, err, "%.40q", text)
	}
	require.Equal(t, "billing notes-api notes-web sandbox", listed(t, s, store.Filter{}), "all is still there")
}
