package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// object of an answer, field by field.
type object = map[string]json.RawMessage

func keys(o object) string {
	var names []string
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestFields: an answer has the fields that were asked for and no others; one that there is not is named with those there are.
func TestFields(t *testing.T) {
	f := start(t, nil)
	for path, want := range map[string]string{
		"/environments?fields=name,status":                                   "name status",
		"/environments?fields=name&fields=revision&limit=1":                  "name revision",
		"/environments/notes/resources?fields=address,status,health":         "address status",
		"/environments/notes/resources?fields=address&status=pending":        "address",
		"/environments/notes/operations?fields=id":                           "id",
		"/templates?fields=name":                                             "name",
		"/environments?fields=name&sort=-created_at&limit=2&health=degraded": "",
	} {
		for _, item := range read[wire.List[object]](f, path).Items {
			require.Equal(t, want, keys(item), path)
		}
	}
	require.Equal(t, "name parameters waiting", keys(read[object](f, "/environments/notes?fields=name,parameters,waiting")))
	require.Equal(t, "address inputs", keys(read[object](f, "/environments/notes/resources/notes.terraform.network?fields=address,inputs")))
	_, body := f.get("/environments/notes?fields=parameters")
	require.NotContains(t, string(body), password)
	page := read[wire.List[object]](f, "/environments?fields=name&limit=2")
	require.NotEmpty(t, page.Next)
	for _, path := range []string{"environments", "environments/notes", "environments/notes/resources", "environments/notes/operations", "templates"} {
		p := f.problem(http.StatusBadRequest, http.MethodGet, wire.Prefix+"/"+path+"?fields=nonsense")
		require.Contains(t, p.Detail, `"fields"`)
		require.Contains(t, p.Detail, `"nonsense"`)
		require.Contains(t, p.Detail, map[bool]string{true: "id", false: "name"}[strings.HasSuffix(path, "operations")])
	}
}

func TestSortedEnvironments(t *testing.T) {
	f := start(t, nil)
	names := func(query string) string {
		var all []string
		for path := "/environments?limit=3&" + query; path != ""; {
			list := read[wire.List[environment.Record]](f, path)
			for _, r := range list.Items {
				all = append(all, r.Name)
			}
			path = ""
			if list.Next != "" {
				path = "/environments?limit=3&" + query + "&cursor=" + list.Next
			}
		}
		return strings.Join(all, " ")
	}
	require.Equal(t, "notes old-0 old-1 old-2 old-3 old-4 old-5 old-6", names("sort=name"))
	require.Equal(t, "old-6 old-5 old-4 old-3 old-2 old-1 old-0 notes", names("sort=-name"))
	require.Equal(t, "notes old-1 old-2 old-3 old-4 old-5 old-6 old-0", names("sort=status"))
	changed := f.notes()
	changed.UpdatedAt, changed.Revision = began.Add(time.Hour), f.seq+1
	changed.Health, changed.Drifted = &environment.HealthSummary{Status: environment.Degraded, Unhealthy: 1}, 1
	f.append("notes", environment.Changes{Environments: []environment.Record{changed}}, environment.StatusDeployed{Operation: operation})
	require.True(t, strings.HasPrefix(names("sort=-updated_at"), "notes old-6"))
	require.True(t, strings.HasPrefix(names("sort=-created_at"), "old-6"))
	require.Equal(t, "notes", names("drifted"))
	require.Equal(t, "notes", names("drifted=true&health=degraded,healthy"))
	require.NotContains(t, names("drifted=false"), "notes")
	for query, want := range map[string]string{"sort=size": `"sort"|name, -name, status`, "sort=--name": `"sort"`, "health=ill": `"health"|healthy, degraded, unknown`,
		"drifted=maybe": `"drifted"|true, false`, "sort=name&sort=status": `"sort"|once`} {
		p := f.problem(http.StatusBadRequest, http.MethodGet, wire.Prefix+"/environments?"+query)
		for _, part := range strings.Split(want, "|") {
			require.Contains(t, p.Detail, part)
		}
	}
	of := read[wire.List[environment.Record]](f, "/environments?limit=1").Next
	require.Contains(t, f.problem(http.StatusBadRequest, http.MethodGet, wire.Prefix+"/environments?sort=-name&cursor="+of).Detail, "cursor")
}

func TestPickedResources(t *testing.T) {
	f := start(t, nil)
	records := f.resources()
	records[0].Health = &environment.EndpointHealth{Status: event.Unhealthy}
	records[2].Drift = &environment.Drift{Presence: event.Present, Drifted: true}
	f.append("notes", environment.Changes{Resources: records}, environment.StatusDeploying{Operation: operation})
	names := func(query string) string {
		var all []string
		for path := "/environments/notes/resources?limit=2&" + query; path != ""; {
			list := read[wire.List[environment.ResourceRecord]](f, path)
			for _, r := range list.Items {
				all = append(all, r.Name)
				require.True(t, !waits(r) || r.Step.Reason != nil, "reasons are told here, too")
			}
			path = ""
			if list.Next != "" {
				path = "/environments/notes/resources?limit=2&" + query + "&cursor=" + list.Next
			}
		}
		return strings.Join(all, " ")
	}
	require.Equal(t, "b c d e migrate", names("status=pending"))
	require.Equal(t, "migrate e d c b", names("status=pending&sort=-address"))
	require.Equal(t, "network", names("health=unhealthy"))
	require.Equal(t, "a", names("drifted"))
	require.Equal(t, "migrate b c d e network", strings.ReplaceAll(strings.ReplaceAll(names("sort=executor&drifted=false"), hostile+" ", ""), " "+hostile, ""))
	require.True(t, strings.HasPrefix(names("sort=status"), "network a "), names("sort=status"))
	next := read[wire.List[environment.ResourceRecord]](f, "/environments/notes/resources?limit=1&sort=status").Next
	for _, query := range []string{"sort=executor&cursor=" + next, "sort=status&status=pending&cursor=" + next, "sort=status&cursor=e30", "sort=status&cursor=***"} {
		require.Contains(t, f.problem(http.StatusBadRequest, http.MethodGet, wire.Prefix+"/environments/notes/resources?"+query).Detail, "cursor")
	}
}
