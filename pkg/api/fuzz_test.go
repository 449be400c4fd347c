package api

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// FuzzQueries: whatever stands in an address, the answer is one of the documented kinds, and nothing breaks inside.
func FuzzQueries(f *testing.F) {
	s, err := sqlite.Open(f.Context(), sqlite.Options{Path: filepath.Join(f.TempDir(), "fuzz.db")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	server, err := New(Options{Store: s, Templates: catalogue{}, Info: info})
	if err != nil {
		f.Fatal(err)
	}
	var paths []string
	for _, r := range routes() {
		if !r.live {
			paths = append(paths, r.path)
		}
	}
	for i, seed := range []string{"depth=-1", "depth=1000000000", "text=%22%20OR%20*", "cursor=x&limit=1", "format=nonsense", "a=b;c", "%zz", "limit=1&limit=2", strings.Repeat("x=1&", 900)} {
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
		default:
			t.Fatalf("%s?%s: %d %s", r.URL.Path, query, w.Code, w.Body)
		}
	})
}
