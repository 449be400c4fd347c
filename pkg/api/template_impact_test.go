package api

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
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
	require.Equal(t, fault.Unavailable, start(t, nil).problem(http.StatusServiceUnavailable, http.MethodGet, "/api/v1/templates/notes/impact").Code)
}
