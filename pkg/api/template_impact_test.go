package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// foreseen stands for package impact, of which the orchestrator's tests ask for real.
func foreseen(ctx context.Context, q ImpactQuestion) (wire.TemplateImpact, error) {
	if q.Version == "" {
		q.Version = map[string]string{"notes": "1.2.0", "broken": "0.1.0"}[q.Name]
	}
	t, err := catalogue{}.Get(ctx, q.Name+"@"+q.Version)
	switch {
	case err != nil:
		return wire.TemplateImpact{}, err
	case q.Cursor != "":
		return wire.TemplateImpact{}, store.ErrCursor
	}
	old := environment.Template{Name: "notes", Version: "1.1.0", Hash: "def"}
	return wire.TemplateImpact{Template: t.TemplateVersion.Template, NotLookedAt: 7, Next: "c2hvcA", Items: []environment.Effect{
		{Environment: "shop", Status: environment.Deployed, Now: old, Foresight: environment.Foresight{
			Steps: []environment.Foreseen{
				{Address: "notes.terraform.network", Type: environment.ResourceNode, Change: event.ChangeUpdate},
				{Address: "notes.terraform.web", Type: environment.ResourceNode, Change: event.ChangeUnknown, After: []string{"notes.terraform.network"}},
			},
			Counts:  map[event.Change]int{event.ChangeUpdate: 1, event.ChangeUnknown: 1, event.ChangeNone: 3},
			Against: []environment.Consumer{{Environment: "site", Address: "site.terraform.dns", Output: "address"}},
		}},
		{Environment: "stage", Status: environment.Failed, Now: old,
			Error: fault.New(fault.Reject, fault.InvalidParameter, "parameter \"zones\" is not declared").With(fault.Diagnostic{Severity: "error", Summary: "Unknown parameter"})},
	}}, nil
}

func TestTemplateImpact(t *testing.T) {
	var asked ImpactQuestion
	f := start(t, func(o *Options) {
		o.Impact = func(ctx context.Context, q ImpactQuestion) (wire.TemplateImpact, error) {
			asked = q
			return foreseen(ctx, q)
		}
	})
	response, body := f.do(http.MethodGet, "/api/v1/templates/notes/impact?version=1.2.0&limit=2")
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	require.Contains(t, response.Header.Get("Link"), "cursor=c2hvcA")
	var got wire.TemplateImpact
	require.NoError(t, json.Unmarshal(body, &got))
	require.Equal(t, 7, got.NotLookedAt)
	require.Equal(t, ImpactQuestion{Name: "notes", Version: "1.2.0", Limit: 2, Within: f.server.options.Timeout / 3}, asked)

	send := func(path, kind, content string) (int, string) {
		response, err := http.Post(f.base+path, kind, strings.NewReader(content)) //nolint:noctx // a test
		require.NoError(t, err)
		defer func() { require.NoError(t, response.Body.Close()) }()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	status, text := send("/api/v1/templates/notes/impact?limit=3", mimeGzip, "packed")
	require.Equal(t, http.StatusOK, status, text)
	require.Equal(t, "packed", string(asked.Packed))
	for path, want := range map[string]int{"/api/v1/templates/notes/impact?version=1.2.0": 400, "/api/v1/templates/notes": 405,
		"/api/v1/templates/notes/impact/more": 405, "/api/v1/environments/notes/impact": 405, "/api/v1/templates/a/b/impact": 405} {
		status, text = send(path, mimeGzip, "packed")
		require.Equal(t, want, status, "%s: %s", path, text)
	}
	status, _ = send("/api/v1/templates/notes/impact", "text/plain", "packed")
	require.Equal(t, http.StatusUnsupportedMediaType, status)
	status, _ = send("/api/v1/templates/notes/impact", mimeGzip, strings.Repeat("x", bundle.MaxPacked+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Equal(t, fault.Unavailable, start(t, nil).problem(http.StatusServiceUnavailable, http.MethodGet, "/api/v1/templates/notes/impact").Code)
}
