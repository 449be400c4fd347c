package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// FuzzQueries: whatever stands in an address, the answer is one of the documented kinds, and nothing breaks inside.
func FuzzQueries(f *testing.F) {
	s, err := sqlite.Open(f.Context(), sqlite.Options{Path: filepath.Join(f.TempDir(), "fuzz.db")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	if err := s.Append(f.Context(), fuzzed()); err != nil {
		f.Fatal(err)
	}
	server, err := New(Options{Store: s, Templates: catalogue{}, Info: info, Impact: foreseen})
	if err != nil {
		f.Fatal(err)
	}
	var paths []string
	for _, r := range routes() {
		if !r.live {
			paths = append(paths, r.path)
		}
	}
	for i, seed := range []string{"depth=-1", "depth=1000000000", "text=%22%20OR%20*", "cursor=x&limit=1", "format=nonsense", "a=b;c", "%zz", "limit=1&limit=2", "sort=-updated_at&fields=name",
		"fields=name,nonsense", "status=pending&sort=-status&limit=1", "cursor=eyJsIjoiIn0&sort=status", "health=&drifted", "format=svg&depth=3", strings.Repeat("x=1&", 900)} {
		f.Add(uint(i*7), "a", seed)
	}
	f.Fuzz(func(t *testing.T, which uint, name, query string) {
		path := paths[which%uint(len(paths))]
		if strings.HasPrefix(path, "/api/v1/templates/{name}/{version}") {
			return // the fixture's catalogue panics where it is asked to
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path, r.URL.RawQuery = braces.ReplaceAllLiteralString(path, strings.ReplaceAll(name, "/", "")), query
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		switch w.Code {
		case 200, 400, 404, 405, 503:
			if w.Code == 503 && !strings.Contains(w.Body.String(), "draws no pictures") && !strings.Contains(path, "/self/") && !strings.Contains(path, "/usage") {
				t.Fatalf("%s?%s: %s", r.URL.Path, query, w.Body)
			}
		default:
			t.Fatalf("%s?%s: %d %s", r.URL.Path, query, w.Code, w.Body)
		}
	})
}

// fuzzed is a batch with a little of everything in it, of the environment a.
func fuzzed() store.Batch {
	node := func(address string, on ...string) environment.ResourceRecord {
		return environment.ResourceRecord{Environment: "a", CreatedBy: "op-1", Status: environment.Deployed,
			Node: environment.Node{Address: address, Type: environment.ResourceNode, Template: "notes", Executor: "noop", DependsOn: on}}
	}
	created := environment.Created{CommandID: "c", Operation: "op-1", Parallelism: 1, Epoch: 1}
	data, _ := json.Marshal(created) // it has nothing that could fail
	return store.Batch{Epoch: 1, Entries: []store.Entry{{Seq: 1, Environment: "a", Type: created.Type(), Data: data}}, Changes: environment.Changes{
		Created: []string{"a"}, Environments: []environment.Record{{Name: "a", Status: environment.Deployed, Tags: []string{"team:a"}, Description: "the notes"}},
		Resources:  []environment.ResourceRecord{node("a"), node("b", "a"), node("c", "a", "b")},
		Operations: []environment.OperationRecord{{ID: "op-1", Environment: "a", RequestedBy: "/teams/a"}},
	}}
}
