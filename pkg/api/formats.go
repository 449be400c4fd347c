package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Formats of graphs, as the parameter "format" names them.
const (
	formatJSON    = "json"
	formatDOT     = "dot"
	formatMermaid = "mermaid"
	formatSVG     = "svg"
)

// formatTypes are the formats in the order of the document, with their types.
var formatTypes = []struct{ name, mime, description string }{
	{formatJSON, mimeJSON, ""},
	{formatDOT, mimeDOT, "The graph for Graphviz"},
	{formatMermaid, mimeMermaid, "The graph as a Mermaid flowchart"},
	{formatSVG, mimeSVG, "The graph as a finished picture, nodes in the colours of their status"},
}

// Bounds of a picture: Graphviz takes some seconds for this much, and nobody sees anything in more.
const (
	mostDrawnNodes = 1500
	mostDrawnEdges = 6000
)

// drawn adds the formats of a graph to a route whose JSON answer stands first.
func drawn(r route) route {
	format := parameter{name: "format", description: "Comes before the header Accept; dot is for Graphviz, svg a finished picture"}
	for _, f := range formatTypes {
		format.enum = append(format.enum, f.name)
		if f.name != formatJSON {
			r.answers = append(r.answers, answer{status: http.StatusOK, mime: f.mime, description: f.description})
		}
	}
	r.query = append(slices.Clone(r.query), format)
	r.answers = append(r.answers, problemAnswer(http.StatusUnprocessableEntity, "Too much for a picture"),
		problemAnswer(http.StatusServiceUnavailable, "This server draws no pictures"))
	return r
}

// format is what the parameter asks for, or else what was agreed on by the header Accept.
func (k *call) format() string {
	if given := k.text("format"); given != "" {
		return given
	}
	for _, f := range formatTypes {
		if f.mime == k.mime {
			return f.name
		}
	}
	return formatJSON
}

// draw answers with a picture in the format that was asked for. One that the client has already is not drawn again.
func (s *Server) draw(k *call, p picture) error {
	text, mime := "", ""
	switch k.format() {
	case formatMermaid:
		text, mime = p.mermaid(), mimeMermaid
	case formatSVG:
		if err := drawable(p); err != nil {
			return err
		}
		text, mime = p.dot(), mimeSVG
	default:
		text, mime = p.dot(), mimeDOT
	}
	header := k.echo.Response().Header()
	header.Set("Cache-Control", "no-cache")
	sum := sha256.Sum256([]byte(mime + text))
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	header.Set("ETag", "W/"+tag)
	if matches(k.echo.Request().Header.Values("If-None-Match"), tag) {
		return k.echo.NoContent(http.StatusNotModified)
	}
	if mime == mimeSVG {
		return s.drawSVG(k, text)
	}
	return k.echo.Blob(http.StatusOK, mime+"; charset=utf-8", []byte(text))
}

func drawable(p picture) error {
	if len(p.nodes) <= mostDrawnNodes && len(p.edges) <= mostDrawnEdges {
		return nil
	}
	return &problemError{status: http.StatusUnprocessableEntity, cause: fault.New(fault.Reject, fault.Invalid,
		"the graph has %d nodes and %d edges; a picture is drawn of at most %d and %d; ask for less of it, or for format=json, dot or mermaid",
		len(p.nodes), len(p.edges), mostDrawnNodes, mostDrawnEdges)}
}

// drawSVG asks for the finished picture. The header forbids whatever could be active in it, where it is shown on its own.
func (s *Server) drawSVG(k *call, dot string) error {
	svg, err := s.options.Draw(k.context(), dot)
	if err != nil {
		k.echo.Response().Header().Del("ETag")
		return err
	}
	k.echo.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	return k.echo.Blob(http.StatusOK, mimeSVG, svg)
}

// drawsNothing is Options.Draw of a server that has no program for it.
func drawsNothing(context.Context, string) ([]byte, error) {
	return nil, fault.New(fault.Wait, fault.Unavailable,
		"this server draws no pictures: put the program vivarium-draw beside vivarium, or install Graphviz; format=dot is there without")
}
