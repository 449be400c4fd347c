package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
)

func TestGraph(t *testing.T) {
	f := start(t, nil)
	g := read[wire.Graph](f, "/environments/notes/graph")
	require.Len(t, g.Nodes, 8)
	require.Len(t, g.Edges, 12)
	require.Contains(t, g.Edges, wire.GraphEdge{From: "notes.terraform.d", To: "notes.terraform.a"})
	byAddress := map[string]wire.GraphNode{}
	for _, n := range g.Nodes {
		byAddress[n.Address] = n
	}
	evil := byAddress["notes.terraform."+hostile]
	require.Equal(t, environment.Failed, evil.Status)
	require.Equal(t, hostile, evil.Error.Message)
	require.Equal(t, environment.ActionNode, byAddress["notes.terraform.migrate"].Type)
}

func TestGraphvizDrawsIt(t *testing.T) {
	f := start(t, nil)
	_, text := f.get("/environments/notes/graph?format=dot")
	require.Equal(t, 12, strings.Count(string(text), " -> "))
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Log("GRAPHVIZ IS NOT INSTALLED: the DOT text was checked by its structure only")
		require.NoError(t, dotStructure(string(text)))
		return
	}
	require.NoError(t, dotStructure(string(text)))
	draw := exec.Command(dot, "-Tjson") //nolint:gosec // the program that was just found
	draw.Stdin = bytes.NewReader(text)
	var complaints bytes.Buffer
	draw.Stderr = &complaints
	out, err := draw.Output()
	require.NoError(t, err, complaints.String())
	require.NotContains(t, complaints.String(), "yntax")
	var drawn struct {
		Name    string
		Objects []struct{ Name, Label string }
		Edges   []any
	}
	require.NoError(t, json.Unmarshal(out, &drawn))
	labels := map[string]string{}
	clusters := 0
	for _, o := range drawn.Objects {
		labels[o.Label] = o.Name
		if strings.HasPrefix(o.Name, "cluster_") {
			clusters++
		}
	}
	require.Len(t, drawn.Edges, 12)
	require.Equal(t, "notes (deploying)", drawn.Name)
	require.Equal(t, 4, clusters, "network, the hostile one, the empty one, the undeclared one")
	require.Len(t, drawn.Objects, 12)
	// Drawn to SVG, the hostile text is the text that was given, and not markup.
	svg := exec.Command(dot, "-Tsvg") //nolint:gosec // the program that was just found
	svg.Stdin = bytes.NewReader(text)
	picture, err := svg.Output()
	require.NoError(t, err)
	require.Contains(t, string(picture), `&amp;lt;`)
	require.NotContains(t, string(picture), "<b>")
	require.Contains(t, string(picture), `\N ];`)
	require.Contains(t, string(picture), colours[environment.Deployed].fill)
}

// dotStructure checks that quotes and braces are balanced, and that no quoted text ends early.
func dotStructure(text string) error {
	quoted := regexp.MustCompile(`"(\\.|[^"\\])*"`)
	rest := quoted.ReplaceAllString(text, `""`)
	if strings.Count(rest, "{") != strings.Count(rest, "}") || strings.Count(rest, `"`)%2 != 0 || strings.Contains(rest, "evil") {
		return errors.New("a quoted text ends early")
	}
	return nil
}

func TestMermaidTextIsInert(t *testing.T) {
	f := start(t, nil)
	_, text := f.get("/environments/notes/graph?format=mermaid")
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Equal(t, "flowchart TB", lines[0])
	allowed := regexp.MustCompile(`^\s*(n\d+(\[|\(\[)"[\p{L}\p{N} .,_:/()#;-]*"(\]|\]\)):::status_[a-z_]+|subgraph g\d+\["[^"%{}<>&]*"\]|end|n\d+ --> n\d+|classDef status_[a-z_]+ [a-z:#0-9,]+)$`)
	for _, line := range lines[1:] {
		require.Regexp(t, allowed, line)
	}
	require.Equal(t, 12, strings.Count(string(text), "-->"))
	require.Contains(t, string(text), "#34;evil#34;")
}

func TestReasonsInDetail(t *testing.T) {
	f := start(t, nil)
	detail := func(list []environment.ResourceRecord) map[string]string {
		found := map[string]string{}
		for _, r := range list {
			if r.Step.Reason != nil {
				found[r.Name] = r.Step.Reason.Detail
			}
		}
		return found
	}
	want := map[string]string{
		"b":       "offered to the runners of pool \"default\"",
		"c":       "as many steps as this environment may have at once are under way: 2; it begins when one of them ends",
		"d":       "waits for notes.terraform.a",
		"e":       "waits for notes.terraform.a",
		"migrate": "waits for notes.terraform.a, notes.terraform.b, notes.terraform.c and 2 more",
	}
	require.Equal(t, want, detail(read[wire.List[environment.ResourceRecord]](f, "/environments/notes/resources").Items))
	paged := map[string]string{}
	for path := "/environments/notes/resources?limit=1"; path != ""; {
		page := read[wire.List[environment.ResourceRecord]](f, path)
		for name, text := range detail(page.Items) {
			paged[name] = text
		}
		path = ""
		if page.Next != "" {
			path = "/environments/notes/resources?limit=1&cursor=" + page.Next
		}
	}
	require.Equal(t, want, paged)
	one := read[environment.ResourceRecord](f, "/environments/notes/resources/notes.terraform.migrate")
	require.Equal(t, want["migrate"], one.Step.Reason.Detail)
}

func TestDestroyWaitsForWhatStandsOnIt(t *testing.T) {
	step := environment.StepRecord{Operation: "op", Verb: "destroy", State: environment.StateBlocked}
	running := environment.StepRecord{Operation: "op", Verb: "destroy", State: environment.StateRunning}
	all := []environment.ResourceRecord{
		{Node: environment.Node{Address: "base"}, Step: step},
		{Node: environment.Node{Address: "top", DependsOn: []string{"base"}}, Step: running},
		{Node: environment.Node{Address: "done", DependsOn: []string{"base"}}},
	}
	got := newExplainer(all).explain(&all[0])
	require.Equal(t, "waits until these are gone: top", got.Reason.Detail)
	require.Nil(t, all[0].Step.Reason, "the record is left as it is")
}
