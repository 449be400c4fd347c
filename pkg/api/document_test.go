package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/schema"
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestDocumentListsWhatIsServed(t *testing.T) {
	f := start(t, nil)
	document := read[schema.Object](f, "/doc")
	documented := map[string]bool{}
	ids := map[string]bool{}
	for path, item := range document["paths"].(schema.Object) {
		for method, operation := range item.(schema.Object) {
			documented[strings.ToUpper(method)+" "+echoPath(path)] = true
			id := operation.(schema.Object)["operationId"].(string)
			require.False(t, ids[id], "operationId %s is there twice", id)
			ids[id] = true
		}
	}
	served := map[string]bool{}
	for _, r := range f.server.echo.Routes() {
		served[r.Method+" "+r.Path] = true
	}
	require.Equal(t, served, documented)
}

// requests has addresses for every route, so that every form of every answer is seen.
func requests() map[string][]string {
	evil := url.PathEscape("notes.terraform." + hostile)
	const one = wire.Prefix + "/environments/{name}"
	return map[string][]string{
		"/":                              {"/"},
		wire.Prefix + "/doc":             {"/api/v1/doc"},
		wire.Prefix + "/self/info":       {"/api/v1/self/info"},
		wire.Prefix + "/self/ping":       {"/api/v1/self/ping"},
		wire.Prefix + "/self/liveliness": {"/api/v1/self/liveliness", "/api/v1/self/liveliness?type=detailed", "/api/v1/self/liveliness?type=x"},
		wire.Prefix + "/self/readiness":  {"/api/v1/self/readiness"},
		wire.Prefix + "/self/started":    {"/api/v1/self/started"},
		wire.Prefix + "/environments": {"/api/v1/environments", "/api/v1/environments?limit=2", "/api/v1/environments?status=deployed",
			"/api/v1/environments?cursor=bad"},
		one:                {"/api/v1/environments/notes", "/api/v1/environments/old-0", "/api/v1/environments/none"},
		one + "/resources": {"/api/v1/environments/notes/resources", "/api/v1/environments/old-1/resources", "/api/v1/environments/none/resources"},
		one + "/resources/{address}": {"/api/v1/environments/notes/resources/notes.terraform.d", "/api/v1/environments/notes/resources/" + evil,
			"/api/v1/environments/notes/resources/none"},
		one + "/operations/{id}/plan": {"/api/v1/environments/notes/operations/op-0/plan", "/api/v1/environments/notes/operations/op-1/plan",
			"/api/v1/environments/notes/operations/none/plan", "/api/v1/environments/none/operations/op-0/plan"},
		one + "/resources/{address}/usage": {"/api/v1/environments/notes/resources/notes.terraform.network/usage",
			"/api/v1/environments/notes/resources/notes.terraform.d/usage", "/api/v1/environments/notes/resources/none/usage"},
		one + "/graph": {"/api/v1/environments/notes/graph", "/api/v1/environments/notes/graph?format=dot",
			"/api/v1/environments/notes/graph?format=mermaid", "/api/v1/environments/old-1/graph"},
		one + "/operations": {"/api/v1/environments/notes/operations?limit=1", "/api/v1/environments/notes/operations"},
		one + "/revisions":  {"/api/v1/environments/notes/revisions", "/api/v1/environments/none/revisions", "/api/v1/environments/notes/revisions?cursor=x"},
		one + "/journal":    {"/api/v1/environments/notes/journal", "/api/v1/environments/nobody/journal", "/api/v1/environments/none/journal"},
		one + "/logs": {"/api/v1/environments/notes/logs?limit=1", "/api/v1/environments/notes/logs?step=x",
			"/api/v1/environments/notes/logs?attempt=0"},
		one + "/steps/{address}/logs": {"/api/v1/environments/notes/steps/notes.terraform.network/logs", "/api/v1/environments/notes/steps/x/logs",
			"/api/v1/environments/none/steps/x/logs", "/api/v1/environments/notes/steps/notes.terraform.network/logs?until=ended"},
		one + "/resources/{address}/dependencies": {"/api/v1/environments/notes/resources/notes.terraform.d/dependencies",
			"/api/v1/environments/notes/resources/notes.terraform.d/dependencies?depth=1", "/api/v1/environments/notes/resources/none/dependencies",
			"/api/v1/environments/notes/resources/notes.terraform.d/dependencies?depth=-1"},
		one + "/resources/{address}/dependents": {"/api/v1/environments/notes/resources/notes.terraform.a/dependents?depth=1000",
			"/api/v1/environments/notes/resources/notes.terraform.a/dependents?depth=1000000000", "/api/v1/environments/none/resources/x/dependents"},
		one + "/dependencies":                {"/api/v1/environments/notes/dependencies", "/api/v1/environments/none/dependencies"},
		one + "/dependents":                  {"/api/v1/environments/notes/dependents", "/api/v1/environments/none/dependents"},
		one + "/resources/{address}/impact":  {"/api/v1/environments/notes/resources/notes.terraform.a/impact", "/api/v1/environments/notes/resources/x/impact"},
		one + "/impact":                      {"/api/v1/environments/notes/impact", "/api/v1/environments/none/impact"},
		one + "/consumers":                   {"/api/v1/environments/notes/consumers", "/api/v1/environments/none/consumers"},
		one + "/resources/{address}/lineage": {"/api/v1/environments/notes/resources/notes.terraform.a/lineage", "/api/v1/environments/notes/resources/x/lineage"},
		wire.Prefix + "/path": {"/api/v1/path?from=notes/notes.terraform.d&to=notes/notes.terraform.a", "/api/v1/path?from=notes&to=x/y",
			"/api/v1/path?from=notes/x&to=notes/y", "/api/v1/path"},
		wire.Prefix + "/resources": {"/api/v1/resources?template=notes", "/api/v1/resources?requested_by=x&limit=1", "/api/v1/resources",
			"/api/v1/resources?commit=ab", "/api/v1/resources?template=notes&cursor=bad"},
		wire.Prefix + "/templates/{name}/usage": {"/api/v1/templates/notes/usage", "/api/v1/templates/none/usage?version=1", "/api/v1/templates/notes/usage?commit=abc"},
		one + "/at": {"/api/v1/environments/notes/at?seq=2", "/api/v1/environments/notes/at?time=2027-01-01T00:00:00Z", "/api/v1/environments/none/at",
			"/api/v1/environments/notes/at?time=yesterday"},
		wire.Prefix + "/search":             {"/api/v1/search?text=notes", "/api/v1/search?text=nothing&kind=resource", "/api/v1/search", "/api/v1/search?text=x&kind=y"},
		wire.Prefix + "/runners":            {"/api/v1/runners"},
		wire.Prefix + "/cluster":            {"/api/v1/cluster"},
		wire.Prefix + "/cluster/divergence": {"/api/v1/cluster/divergence"},
		wire.Prefix + "/cluster/divergence/{id}/journal": {"/api/v1/cluster/divergence/0-1-e1/journal", "/api/v1/cluster/divergence/none/journal",
			"/api/v1/cluster/divergence/0-1-e1/journal?limit=1"},
		wire.Prefix + "/templates":        {"/api/v1/templates", "/api/v1/templates?limit=1"},
		wire.Prefix + "/templates/{name}": {"/api/v1/templates/notes", "/api/v1/templates/none"},
		wire.Prefix + "/templates/{name}/impact": {"/api/v1/templates/notes/impact", "/api/v1/templates/none/impact",
			"/api/v1/templates/notes/impact?cursor=bad", "/api/v1/templates/notes/impact?limit=201", "/api/v1/templates/broken/impact"},
		wire.Prefix + "/templates/{name}/{version}": {"/api/v1/templates/notes/1.2.0", "/api/v1/templates/broken/0.1.0", "/api/v1/templates/panic/1"},
	}
}

// used is what the resource "network" uses; nobody measures the others.
func used(_ context.Context, _, address string) (event.Usage, error) {
	if !strings.HasSuffix(address, "network") {
		return event.Usage{}, fault.New(fault.Wait, fault.NotMeasured, "nobody measures it")
	}
	return event.Usage{Time: began, Replicas: []event.ReplicaUsage{{Name: "one", State: "running", CPU: 0.5, Memory: 7}}}, nil
}

func TestUsage(t *testing.T) {
	f := start(t, func(o *Options) { o.Usage = used })
	u := read[wire.MeasuredUsage](f, "/environments/notes/resources/notes.terraform.network/usage")
	require.Equal(t, int64(7), u.Usage.Replicas[0].Memory)
	require.Positive(t, u.Age)
	for address, status := range map[string]int{"notes.terraform.d": http.StatusServiceUnavailable, "none": http.StatusNotFound} {
		response, body := f.do(http.MethodGet, wire.Prefix+"/environments/notes/resources/"+address+"/usage")
		require.Equal(t, status, response.StatusCode, string(body))
	}
	response, body := start(t, nil).do(http.MethodGet, wire.Prefix+"/environments/notes/resources/notes.terraform.network/usage")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Contains(t, string(body), "secondary")
}

func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Runners, o.Pools = heard, func() []string { return []string{"eu", "void"} }
		o.Usage, o.Cluster, o.Impact = used, both, foreseen
	})
	document := read[schema.Object](f, "/doc")
	closeObjects(document["components"])
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("mem:openapi", document))
	asked := requests()
	for _, r := range routes() {
		require.NotEmpty(t, asked[r.path], "no request for %s", r.path)
		for _, address := range asked[r.path] {
			response, body := f.do(http.MethodGet, address)
			kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
			require.NoError(t, err, address)
			pointer, ok := schemaOf(document, r.path, response.StatusCode, kind)
			require.True(t, ok, "%s: status %d as %s is not in the document", address, response.StatusCode, kind)
			require.NotContains(t, string(body), "$sealed", address)
			require.NotContains(t, string(body), password, address)
			if !strings.HasSuffix(kind, "json") {
				require.NotEmpty(t, body)
				continue
			}
			compiled, err := compiler.Compile("mem:openapi#" + pointer)
			require.NoError(t, err, pointer)
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
			require.NoError(t, err)
			require.NoError(t, compiled.Validate(value), "%s: %s", address, body)
		}
	}
}

// schemaOf is the JSON pointer to the schema of an answer.
func schemaOf(document schema.Object, path string, status int, kind string) (string, bool) {
	responses := at(document, "paths", path, "get", "responses")
	where := "/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/get/responses/" + fmt.Sprint(status)
	response, ok := responses[fmt.Sprint(status)].(schema.Object)
	if !ok {
		response, where = at(document, "components", "responses", "Problem"), "/components/responses/Problem"
	}
	if at(response, "content", kind) == nil {
		return "", false
	}
	return where + "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema", true
}

func at(v schema.Object, keys ...string) schema.Object {
	for _, key := range keys {
		v, _ = v[key].(schema.Object)
	}
	return v
}

// closeObjects refuses what the document does not list, so that no field is served that is not documented.
func closeObjects(v any) {
	switch v := v.(type) {
	case schema.Object:
		if _, ok := v["properties"].(schema.Object); ok {
			v["additionalProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	case []any:
		for _, member := range v {
			closeObjects(member)
		}
	}
}

func TestDocumentReferencesResolve(t *testing.T) {
	text, err := Document(nil)
	require.NoError(t, err)
	var document schema.Object
	require.NoError(t, json.Unmarshal(text, &document))
	require.Equal(t, "3.1.0", document["openapi"])
	count := 0
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case schema.Object:
			if ref, ok := v["$ref"].(string); ok {
				count++
				require.True(t, strings.HasPrefix(ref, "#/"), ref)
				require.NotNil(t, at(document, strings.Split(ref[2:], "/")...), ref)
			}
			for _, member := range v {
				visit(member)
			}
		case []any:
			for _, member := range v {
				visit(member)
			}
		}
	}
	visit(document)
	require.Greater(t, count, 40)
}
