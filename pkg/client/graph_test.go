package client_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// TestQuestionsAreAskedAtTheirAddresses: whatever is in a name is escaped, and what is empty is not sent.
func TestQuestionsAreAskedAtTheirAddresses(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RequestURI()
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	hc := server.Client()
	defer hc.CloseIdleConnections()
	api, ctx := client.NewAPI(server.URL, hc), t.Context()
	r := store.Ref{Environment: "a", Address: `n.x.y["b/c"]`}
	const resource = `/api/v1/environments/a/resources/n.x.y%5B%22b%2Fc%22%5D/`
	for want, ask := range map[string]func() error{
		resource + "dependents?depth=3": func() error {
			_, err := api.Walk(ctx, store.Walk{From: r, Direction: store.Dependents, Depth: 3})
			return err
		},
		"/api/v1/environments/a/dependencies": func() error {
			_, err := api.Walk(ctx, store.Walk{From: store.Ref{Environment: "a"}, Direction: store.Dependencies})
			return err
		},
		resource + "impact":                func() error { _, err := api.Impact(ctx, r); return err },
		resource + "lineage":               func() error { _, err := api.Lineage(ctx, r); return err },
		"/api/v1/environments/a/consumers": func() error { _, err := api.Consumers(ctx, "a"); return err },
		"/api/v1/path?from=a%2Fx&to=b%2Fy": func() error {
			_, err := api.Path(ctx, store.Ref{Environment: "a", Address: "x"}, store.Ref{Environment: "b", Address: "y"})
			return err
		},
		resource + "dependents?depth=3&format=svg": func() error {
			_, err := api.DrawWalk(ctx, store.Walk{From: r, Direction: store.Dependents, Depth: 3}, "svg")
			return err
		},
		resource + "impact?format=dot": func() error { _, err := api.DrawImpact(ctx, r, "dot"); return err },
		"/api/v1/path?format=svg&from=a%2Fx&to=b%2Fy": func() error {
			_, err := api.DrawPath(ctx, store.Ref{Environment: "a", Address: "x"}, store.Ref{Environment: "b", Address: "y"}, "svg")
			return err
		},
		"/api/v1/environments/a/graph?format=mermaid":             func() error { _, err := api.Graph(ctx, "a", "mermaid"); return err },
		"/api/v1/resources?limit=1000&template=notes":             func() error { _, err := api.Made(ctx, store.Origin{Template: "notes"}); return err },
		"/api/v1/templates/notes/usage?commit=0123456&limit=1000": func() error { _, err := api.TemplateUsage(ctx, "notes", "", "0123456"); return err },
		"/api/v1/environments/a/at?seq=3&time=2026-01-01T00%3A00%3A00Z": func() error {
			_, err := api.EnvironmentAt(ctx, "a", history.Moment{Seq: 3, Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
			return err
		},
		"/api/v1/search?kind=resource&limit=5&text=a+b": func() error {
			_, err := api.Search(ctx, store.Search{Text: "a b", Kind: "resource", Limit: 5})
			return err
		},
	} {
		require.NoError(t, ask())
		require.Equal(t, want, asked)
	}
}
