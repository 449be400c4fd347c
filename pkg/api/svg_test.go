package api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/draw"
	"github.com/vivarium-env/vivarium/pkg/draw/drawtest"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// drawing serves with the program that draws.
func drawing(t *testing.T) *fixture {
	d := draw.New(draw.Options{Program: drawtest.Program(t), Cache: filepath.Join(t.TempDir(), "draw")})
	return start(t, func(o *Options) { o.Draw = d.SVG })
}

// shape is a node of a picture: the colours that its box has, and its lines of text.
type shape struct {
	class, fill, line string
	lines             []string
}

// shapes reads a picture, which has to be well-formed: its nodes by their ids, and how many edges it has.
func shapes(t *testing.T, svg []byte) (nodes map[string]shape, edges int) {
	t.Helper()
	nodes = map[string]shape{}
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	var ids []string // of the groups that are open
	text := false
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nodes, edges
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			attributes := map[string]string{}
			for _, a := range token.Attr {
				attributes[a.Name.Local] = a.Value
			}
			require.NotEqual(t, "script", token.Name.Local)
			text = token.Name.Local == "text"
			class := attributes["class"]
			switch {
			case token.Name.Local == "g" && strings.HasPrefix(class, "node"):
				require.NotContains(t, nodes, attributes["id"])
				nodes[attributes["id"]] = shape{class: strings.TrimPrefix(class, "node ")}
				ids = append(ids, attributes["id"])
			case token.Name.Local == "g":
				if strings.HasPrefix(class, "edge") {
					edges++
				}
				ids = append(ids, at2(ids))
				if strings.HasPrefix(class, "edge") || strings.HasPrefix(class, "cluster") {
					ids[len(ids)-1] = ""
				}
			case attributes["fill"] != "" && at2(ids) != "" && nodes[at2(ids)].fill == "":
				s := nodes[at2(ids)]
				s.fill, s.line = attributes["fill"], attributes["stroke"]
				nodes[at2(ids)] = s
			}
		case xml.CharData:
			if id := at2(ids); text && id != "" {
				s := nodes[id]
				s.lines = append(s.lines, string(token))
				nodes[id] = s
			}
		case xml.EndElement:
			text = false
			if token.Name.Local == "g" {
				ids = ids[:len(ids)-1]
			}
		}
	}
}

// at2 is the innermost one.
func at2(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[len(ids)-1]
}

// TestPicture: the picture of an environment is well-formed, and has each node once, in the colours of its status.
func TestPicture(t *testing.T) {
	f := drawing(t)
	g := read[wire.Graph](f, "/environments/notes/graph")
	for _, ask := range [][]string{{"?format=svg"}, {"", "Accept", "text/html;q=0.1, image/svg+xml;charset=utf-8, application/json;q=0.5"}} {
		response, svg := f.get("/environments/notes/graph"+ask[0], ask[1:]...)
		require.Equal(t, http.StatusOK, response.StatusCode, string(svg))
		require.Equal(t, mimeSVG, response.Header.Get("Content-Type"))
		require.Contains(t, response.Header.Get("Content-Security-Policy"), "sandbox")
		nodes, edges := shapes(t, svg)
		require.Len(t, nodes, len(g.Nodes))
		require.Equal(t, len(g.Edges), edges)
		for i, n := range g.Nodes {
			s, c := nodes[fmt.Sprint("n", i)], colourOf(n.Status)
			require.Equal(t, shape{class: statusClass(n.Status), fill: c.fill, line: c.line, lines: s.lines}, s, n.Address)
			require.Contains(t, s.lines[len(s.lines)-1], string(n.Status))
			first, _, _ := strings.Cut(n.Address, "\n")
			require.Equal(t, strings.TrimRight(first, " "), strings.TrimRight(strings.ReplaceAll(s.lines[0], "\u00a0", " "), " "), "as it was written, and no markup")
		}
		tag := response.Header.Get("ETag")
		response, body := f.get("/environments/notes/graph?format=svg", "If-None-Match", tag)
		require.Equal(t, http.StatusNotModified, response.StatusCode)
		require.Empty(t, body)
	}
}

// TestPicturesOfQuestions: what a walk, an impact and a path find is drawn, with where they begin.
func TestPicturesOfQuestions(t *testing.T) {
	f := drawing(t)
	for path, want := range map[string]struct{ nodes, edges int }{
		"/environments/notes/resources/notes.terraform.d/dependencies": {3, 2}, "/environments/notes/resources/notes.terraform.a/dependents?depth=1": {4, 3},
		"/environments/notes/resources/notes.terraform.a/impact": {4, 5}, "/environments/notes/impact": {1, 0},
		"/path?from=notes/notes.terraform.d&to=notes/notes.terraform.network": {3, 2}, "/path?from=notes/notes.terraform.a&to=notes/notes.terraform.d": {2, 0},
	} {
		response, svg := f.get(path, "Accept", mimeSVG)
		require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", path, svg)
		nodes, edges := shapes(t, svg)
		require.Len(t, nodes, want.nodes, path)
		require.Equal(t, want.edges, edges, path)
		_, text := f.get(path, "Accept", mimeDOT)
		require.NoError(t, dotStructure(string(text)), path)
		_, text = f.get(path, "Accept", mimeMermaid)
		require.True(t, strings.HasPrefix(string(text), "flowchart TB\n"), path)
	}
	_, svg := f.get("/path?from=notes/notes.terraform.d&to=notes/notes.terraform.network&format=svg")
	nodes, _ := shapes(t, svg)
	statuses := map[string]bool{}
	for _, s := range nodes {
		statuses[s.class] = true
	}
	require.Equal(t, map[string]bool{"status_pending": true, "status_deploying": true, "status_deployed": true}, statuses)
}

func TestTooMuchForAPicture(t *testing.T) {
	f := drawing(t)
	record := f.notes()
	record.Name, record.Revision = "large", f.seq+1
	changes := environment.Changes{Created: []string{"large"}, Environments: []environment.Record{record}}
	for i := range mostDrawnNodes + 1 {
		changes.Resources = append(changes.Resources, environment.ResourceRecord{Node: environment.Node{Address: fmt.Sprintf("a.%04d", i),
			Type: environment.ResourceNode}, Environment: "large", Status: environment.Deployed})
	}
	f.append("large", changes, environment.StatusDeploying{Operation: operation})
	p := f.problem(http.StatusUnprocessableEntity, http.MethodGet, wire.Prefix+"/environments/large/graph?format=svg")
	require.Contains(t, p.Detail, "1501 nodes and 0 edges")
	require.Contains(t, p.Detail, "format=json, dot or mermaid")
	response, _ := f.get("/environments/large/graph?format=dot")
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestNobodyDraws(t *testing.T) {
	f := start(t, nil)
	p := f.problem(http.StatusServiceUnavailable, http.MethodGet, wire.Prefix+"/environments/notes/graph?format=svg")
	require.Equal(t, fault.Unavailable, p.Code)
	require.Contains(t, p.Detail, "vivarium-draw")
}

// TestWhatIsAcceptable: every address answers in a type that the client reads, or says which there are.
func TestWhatIsAcceptable(t *testing.T) {
	f := start(t, nil)
	for accept, want := range map[string]string{
		"": mimeJSON, "*/*": mimeJSON, "text/*": mimeDOT, "text/vnd.mermaid": mimeMermaid, "application/json;q=0, */*": mimeDOT,
		"text/html, image/gif, *; q=.2, */*; q=.2": mimeJSON, "nonsense": mimeJSON, "application/json; charset=utf-8": mimeJSON,
		"text/vnd.mermaid;q=0.2, text/vnd.graphviz;q=0.9": mimeDOT, "application/json;q=7": mimeJSON,
	} {
		response, body := f.get("/environments/notes/graph", "Accept", accept)
		require.Equal(t, http.StatusOK, response.StatusCode, "%q: %s", accept, body)
		require.True(t, strings.HasPrefix(response.Header.Get("Content-Type"), want), "%q: %s", accept, response.Header.Get("Content-Type"))
		require.Contains(t, response.Header.Values("Vary"), "Accept")
	}
	for _, r := range routes() {
		path := braces.ReplaceAllString(r.path, "x")
		p := f.problem(http.StatusNotAcceptable, http.MethodGet, path, "Accept", "application/xml, application/json;q=0, text/plain;q=0")
		require.Equal(t, notAcceptable, p.Code)
		for _, mime := range r.offers() {
			require.Contains(t, p.Detail, mime, path)
		}
	}
	response, _ := f.get("/environments/notes/graph?format=json", "Accept", "application/xml")
	require.Equal(t, http.StatusOK, response.StatusCode, "the parameter comes before the header")
}
