package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// consuming adds an environment whose resource uses an output of notes.
func consuming(f *fixture) {
	r := environment.ResourceRecord{Environment: "web", Status: environment.Deployed, CreatedBy: "op-1", Node: environment.Node{
		Address: "web.container.app", Type: environment.ResourceNode, Template: "web", Executor: "container", Name: "app",
		Consumes: []environment.Consumption{{Environment: "notes", Output: "token", Resources: []string{"notes.terraform.a"}}}}}
	f.append("web", environment.Changes{Created: []string{"web"}, Environments: []environment.Record{{Name: "web", Status: environment.Deployed,
		Templates: []environment.Template{{Name: "web", Version: "2.0.0", Hash: "h", Commit: "0123456789abcdef"}}, Partition: partition, Epoch: 1,
		Parameters: f.notes().Parameters}},
		Resources: []environment.ResourceRecord{r},
		Operations: []environment.OperationRecord{{ID: "op-1", Environment: "web", Kind: environment.CreateOperation, RequestedBy: "/teams/web",
			Status: environment.OperationSucceeded, StartedAt: began}}}, environment.StatusDeploying{Operation: "op-1"})
}

func TestQuestionsAcrossEnvironments(t *testing.T) {
	f := start(t, nil)
	consuming(f)
	reach := read[store.Reach](f, "/environments/web/resources/web.container.app/dependencies?depth=1")
	require.Equal(t, store.Ref{Environment: "notes", Address: "notes.terraform.a"}, reach.Vertices[0].Ref)
	require.Equal(t, "token", reach.Edges[0].Output)
	require.Contains(t, refs(read[store.Reach](f, "/environments/notes/resources/notes.terraform.a/dependents?depth=1")), "web/web.container.app")
	impact := read[wire.Impact](f, "/environments/notes/impact")
	require.Equal(t, 1, impact.Resources)
	require.Equal(t, "web", impact.Environments[0].Environment)
	consumers := read[wire.List[store.Edge]](f, "/environments/notes/consumers")
	require.Len(t, consumers.Items, 1)
	way := read[wire.List[store.Edge]](f, "/path?from=web/web.container.app&to=notes/notes.terraform.a")
	require.Len(t, way.Items, 1)
	require.Empty(t, read[wire.List[store.Edge]](f, "/path?to=web/web.container.app&from=notes/notes.terraform.a").Items)
	lineage := read[store.Lineage](f, "/environments/web/resources/web.container.app/lineage")
	require.Equal(t, "/teams/web", lineage.Operation.RequestedBy)
	require.Equal(t, "0123456789abcdef", lineage.Template.Commit)
	require.JSONEq(t, `"(sensitive)"`, string(lineage.Environment.Parameters["password"]))
	for _, query := range []string{"requested_by=/teams/web", "commit=0123456", "template=web&version=2.0.0", "environment=web&operation=op-1"} {
		made := read[wire.List[store.Ref]](f, "/resources?"+query)
		require.Equal(t, []store.Ref{{Environment: "web", Address: "web.container.app"}}, made.Items, query)
	}
	uses := read[wire.List[store.Use]](f, "/templates/web/usage?commit=0123456")
	require.Equal(t, "web", uses.Items[0].Environment)
	hits := read[wire.List[store.Hit]](f, "/search?text=container")
	require.Equal(t, "web.container.app", hits.Items[0].Address)
	require.Empty(t, read[wire.List[store.Hit]](f, "/search?text="+strings.ReplaceAll(password, " ", "+")).Items)
}

func refs(r store.Reach) []string {
	var found []string
	for _, v := range r.Vertices {
		found = append(found, v.Environment+"/"+v.Address)
	}
	return found
}

func TestAnEarlierTime(t *testing.T) {
	f := start(t, nil)
	v := read[history.View](f, "/environments/notes/at?seq=1")
	require.Equal(t, environment.Pending, v.Environment.Status)
	v = read[history.View](f, "/environments/notes/at?time="+began.Add(2500*time.Millisecond).Format(time.RFC3339Nano))
	require.Equal(t, environment.Deploying, v.Environment.Status)
	require.EqualValues(t, 2, v.Seq)
	p := f.problem(http.StatusNotFound, http.MethodGet, "/api/v1/environments/notes/at?time=2001-01-01T00:00:00Z")
	require.Equal(t, fault.NotFound, p.Code)
}

func TestBadQuestions(t *testing.T) {
	f := start(t, nil)
	for query, want := range map[string]string{
		"environments/notes/dependents?depth=-1":         `"depth"|1 to 1000`,
		"environments/notes/dependents?depth=1000000000": `"depth"|1 to 1000`,
		"environments/notes/dependents?depth=1e2":        `"depth"`,
		"path?from=notes/a":                              `"to"|ENVIRONMENT/ADDRESS`,
		"path?from=/a&to=b/":                             `"from"`,
		"resources":                                      "at least|says nothing",
		"resources?commit=abc":                           "seven",
		"search":                                         `"text"`,
		"search?text=" + strings.Repeat("x", 5000):       `"text"|1024`,
		"search?text=x&limit=1000":                       `"limit"|1 to 100`,
		"environments/notes/at?time=tomorrow":            `"time"|RFC 3339`,
		"environments/notes/at?seq=0":                    `"seq"`,
	} {
		p := f.problem(http.StatusBadRequest, http.MethodGet, wire.Prefix+"/"+query)
		found := false
		for _, part := range strings.Split(want, "|") {
			found = found || strings.Contains(p.Detail, part)
		}
		require.True(t, found, "%s: %s", query, p.Detail)
	}
	for _, evil := range []string{`%22%20OR%20*`, `'%3BDROP%20TABLE%20environments--`, `NEAR(a%20b)`, `%00`, `*`} {
		response, body := f.get("/search?text=" + evil)
		require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", evil, body)
	}
}
