package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/schema"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// updateExamples is the variable with which the test writes the file: UPDATE_EXAMPLES=1 go test ./pkg/api -run Examples.
const updateExamples = "UPDATE_EXAMPLES"

// shop is an environment that is fit to be shown.
func (f *fixture) shop() {
	record := f.notes()
	record.Name, record.Description, record.Status, record.Revision = "shop", "The shop", environment.Deployed, f.seq+1
	record.Groups, record.Operation = []environment.Group{{Name: "network"}}, "op-1"
	node := func(name string, on ...string) environment.ResourceRecord {
		return environment.ResourceRecord{Environment: "shop", Status: environment.Deployed, CreatedBy: "op-1", Revision: f.seq + 1, UpdatedAt: began,
			Node: environment.Node{Address: "notes.terraform." + name, Type: environment.ResourceNode, Template: "notes", Executor: "terraform", Name: name,
				DependsOn: on},
			Step:   environment.StepRecord{Operation: "op-1", Verb: event.Apply, State: environment.StateComplete, Attempt: 1},
			Inputs: f.object("password"), Outputs: f.object("token")}
	}
	made := operations()[0]
	made.Environment, made.Status, made.RequestedBy = "shop", environment.OperationSucceeded, "/teams/shop"
	plan := operations()[2]
	plan.Environment = "shop"
	f.append("shop", environment.Changes{Created: []string{"shop"}, Environments: []environment.Record{record},
		Resources: []environment.ResourceRecord{node("network"), node("web", "notes.terraform.network")}, Operations: []environment.OperationRecord{made, plan},
	}, environment.Created{CommandID: "cmd-3", Operation: "op-1", Templates: record.Templates, Parameters: record.Parameters, Parallelism: 2, Epoch: 1,
		Nodes: []environment.Node{{Address: "notes.terraform.network", Type: environment.ResourceNode}}}, environment.StatusDeploying{Operation: "op-1"})
	require.NoError(f.t, f.store.AppendLogs(f.t.Context(), event.Logs{TaskRef: event.TaskRef{Environment: "shop", Operation: "op-1",
		Step: "notes.terraform.network", Attempt: 1}, Lines: []event.LogLine{{Time: began, Stream: "out", Text: "Creating..."}}}))
}

// exampleQueries are for addresses that answer nothing, or too much, without.
var exampleQueries = map[string]string{
	"getPath": "?from=shop/notes.terraform.web&to=shop/notes.terraform.network", "listMade": "?operation=op-1&environment=shop", "search": "?text=shop",
	"listEnvironments": "?text=shop", "liveliness": "?type=detailed", "getDependents": "?depth=1",
}

func exampleAddress(r route) string {
	address, name := "notes.terraform.network", "shop"
	if strings.Contains(r.path, "/templates/") {
		name = "notes"
	}
	id := "op-0" // the plan
	if r.id == "readDivergence" {
		id = "0-1-e1"
	}
	if r.id == "getDependencies" || r.id == "getEnvironmentDependencies" {
		address = "notes.terraform.web"
	}
	path := strings.NewReplacer("{name}", name, "{address}", address, "{id}", id, "{version}", "1.2.0").Replace(r.path)
	return path + exampleQueries[r.id]
}

// short keeps what is shown of a list to two things.
func short(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = short(v[name])
		}
	case []any:
		v = v[:min(len(v), 2)]
		for i := range v {
			v[i] = short(v[i])
		}
		return v
	}
	return v
}

// shapeOf is what fields there are and of which kind, whatever stands in them.
func shapeOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		shape := map[string]any{}
		for name := range v {
			shape[name] = shapeOf(v[name])
		}
		return shape
	case []any:
		shapes := []any{}
		for _, item := range v {
			shapes = append(shapes, shapeOf(item))
		}
		return shapes
	}
	return fmt.Sprintf("%T", v)
}

// TestExamples: the document shows a real answer of every route, which fits its schema and is as the answers are now.
func TestExamples(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Runners, o.Pools, o.Usage, o.Cluster = heard, func() []string { return []string{"eu"} }, used, both
		o.Impact = foreseen
	})
	f.shop()
	answers := map[string]any{}
	for _, r := range routes() {
		if r.id == "doc" || !slices.Contains(r.offers(), mimeJSON) {
			continue
		}
		response, body := f.do(http.MethodGet, exampleAddress(r))
		require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", exampleAddress(r), body)
		var v any
		require.NoError(t, json.Unmarshal(body, &v))
		answers[r.id] = short(v)
	}
	if os.Getenv(updateExamples) != "" {
		text, err := json.MarshalIndent(answers, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("examples.json", append(text, '\n'), 0o600))
		return
	}
	shown, err := examples()
	require.NoError(t, err)
	require.Equal(t, slices.Sorted(maps.Keys(answers)), slices.Sorted(maps.Keys(shown)), "run %s=1 go test ./pkg/api -run Examples, and go generate ./schemas", updateExamples)
	document := read[schema.Object](f, "/doc")
	closeObjects(document["components"])
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	require.NoError(t, compiler.AddResource("mem:examples", document))
	for _, r := range routes() {
		if shown[r.id] == nil {
			continue
		}
		require.Equal(t, shapeOf(answers[r.id]), shapeOf(shown[r.id]), "%s: run %s=1 go test ./pkg/api -run Examples, and go generate ./schemas", r.id, updateExamples)
		pointer, ok := schemaOf(document, r.path, http.StatusOK, mimeJSON)
		require.True(t, ok)
		compiled, err := compiler.Compile("mem:examples#" + pointer)
		require.NoError(t, err)
		text, err := json.Marshal(shown[r.id])
		require.NoError(t, err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		require.NoError(t, compiled.Validate(value), "%s: %s", r.id, text)
		require.NotContains(t, string(text), password)
	}
}
