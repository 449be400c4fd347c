package api

import (
	"errors"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func refText(r store.Ref) string {
	if r.Address == "" {
		return clip(r.Environment)
	}
	return clip(r.Environment) + "/" + clip(r.Address)
}

// standing is what a walk found without what is destroyed, which can't break.
func standing(r store.Reach) store.Reach {
	gone := map[store.Ref]bool{}
	for _, v := range r.Vertices {
		if v.Status == environment.Destroyed {
			gone[v.Ref] = true
		}
	}
	r.Vertices = slices.DeleteFunc(r.Vertices, func(v store.Vertex) bool { return gone[v.Ref] })
	r.Edges = slices.DeleteFunc(r.Edges, func(e store.Edge) bool { return gone[e.From] || gone[e.To] })
	return r
}

// drawReach draws what a walk found, with where it began.
func (s *Server) drawReach(k *call, title string, r store.Reach) error {
	if r.Truncated {
		title += " (there is more than is drawn)"
	}
	begin := k.ref()
	vertices := r.Vertices
	if begin.Address != "" || len(r.Edges) == 0 {
		vertices = append([]store.Vertex{{Ref: begin}}, vertices...)
	}
	return s.drawEdges(k, title, []store.Ref{begin}, vertices, r.Edges)
}

// drawPath draws the way between two resources; both stand there alone when there is none.
func (s *Server) drawPath(k *call, from, to store.Ref, edges []store.Edge) error {
	title := "from " + refText(from) + " to " + refText(to)
	return s.drawEdges(k, title, []store.Ref{from, to}, []store.Vertex{{Ref: from}, {Ref: to}}, edges)
}

// drawEdges draws edges between vertices, and looks up what is not known yet of their ends.
func (s *Server) drawEdges(k *call, title string, marked []store.Ref, vertices []store.Vertex, edges []store.Edge) error {
	known := make(map[store.Ref]bool, len(vertices))
	for _, v := range vertices {
		known[v.Ref] = true
	}
	for _, e := range edges {
		for _, end := range []store.Ref{e.From, e.To} {
			if !known[end] {
				known[end] = true
				vertices = append(vertices, store.Vertex{Ref: end})
			}
		}
	}
	p := pictureOfEdges(title, marked, vertices, edges)
	if k.format() == formatSVG {
		if err := drawable(p); err != nil {
			return err // before anything is looked up for it
		}
	}
	if err := s.complete(k, vertices); err != nil {
		return err
	}
	return s.draw(k, pictureOfEdges(title, marked, vertices, edges))
}

// complete looks up the vertices that have a reference only. Several of one environment are read at once.
func (s *Server) complete(k *call, vertices []store.Vertex) error {
	missing := map[string][]int{}
	for i, v := range vertices {
		if v.Status == "" && v.Address != "" {
			missing[v.Environment] = append(missing[v.Environment], i)
		}
	}
	for name, at := range missing {
		records, err := s.recordsOf(k, name, vertices, at)
		if err != nil {
			return err
		}
		for _, i := range at {
			if r, ok := records[vertices[i].Address]; ok {
				v := &vertices[i]
				v.Status, v.Type, v.Executor, v.Group = r.Status, string(r.Type), r.Executor, r.Group
			}
		}
	}
	return nil
}

// fewRecords is up to how many resources are read one by one.
const fewRecords = 8

func (s *Server) recordsOf(k *call, name string, vertices []store.Vertex, at []int) (map[string]environment.ResourceRecord, error) {
	records := make(map[string]environment.ResourceRecord, len(at))
	if len(at) > fewRecords {
		all, _, err := s.options.Store.Resources(k.context(), name, store.Page{Limit: -1})
		for _, r := range all {
			records[r.Address] = r
		}
		return records, err
	}
	for _, i := range at {
		l, err := s.options.Store.Lineage(k.context(), vertices[i].Ref)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		records[vertices[i].Address] = l.Resource
	}
	return records, nil
}
