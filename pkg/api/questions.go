package api

import (
	"errors"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// ref is what the path names: a resource, or an environment as a whole.
func (k *call) ref() store.Ref {
	return store.Ref{Environment: k.path("name"), Address: k.path("address")}
}

// missing says which of the two there is not.
func (s *Server) missing(k *call, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, err := s.record(k); err != nil {
		return err
	}
	return notFound("the environment %q has no resource %q", clip(k.path("name")), clip(k.path("address")))
}

func walking(d store.Direction) func(*Server, *call) error {
	return func(s *Server, k *call) error {
		reach, err := s.options.Store.Walk(k.context(), store.Walk{From: k.ref(), Direction: d, Depth: int(k.number("depth"))}) //nolint:gosec // at most mostDepth
		if err != nil {
			return s.missing(k, err)
		}
		if k.format() == formatJSON {
			return k.answer(reach)
		}
		return s.drawReach(k, string(d)+" of "+refText(k.ref()), reach)
	}
}

func (s *Server) impact(k *call) error {
	reach, err := s.options.Store.Walk(k.context(), store.Walk{From: k.ref(), Direction: store.Dependents})
	if err != nil {
		return s.missing(k, err)
	}
	if k.format() == formatJSON {
		return k.answer(impactOf(k.ref(), reach))
	}
	return s.drawReach(k, "impact of "+refText(k.ref()), standing(reach))
}

// impactOf sorts what stands on something by environment, the one that is asked about first.
func impactOf(of store.Ref, reach store.Reach) wire.Impact {
	out := wire.Impact{Of: of, Environments: []wire.EnvironmentImpact{}, Truncated: reach.Truncated}
	at := map[string]int{}
	for _, v := range reach.Vertices {
		if v.Status == environment.Destroyed {
			continue // what is gone can't break
		}
		i, known := at[v.Environment]
		if !known {
			i, at[v.Environment] = len(out.Environments), len(out.Environments)
			out.Environments = append(out.Environments, wire.EnvironmentImpact{Environment: v.Environment})
		}
		out.Environments[i].Resources = append(out.Environments[i].Resources, v)
		out.Resources++
	}
	return out
}

func (s *Server) consumers(k *call) error {
	edges, err := s.options.Store.Consumers(k.context(), k.path("name"))
	if err == nil && len(edges) == 0 {
		_, err = s.options.Store.Environment(k.context(), k.path("name"))
	}
	if err != nil {
		return s.missing(k, err)
	}
	return answerList(k, edges, "", "")
}

func (s *Server) lineage(k *call) error {
	l, err := s.options.Store.Lineage(k.context(), k.ref())
	if err != nil {
		return s.missing(k, err)
	}
	l.Environment = whole(l.Environment)
	if l.Operation != nil && l.Operation.Steps == nil {
		l.Operation.Steps = map[environment.StepState]int{}
	}
	return k.answer(l)
}

// refOf reads ENVIRONMENT/ADDRESS.
func (k *call) refOf(name string) (store.Ref, error) {
	environment, address, ok := strings.Cut(k.text(name), "/")
	if !ok || environment == "" || address == "" {
		return store.Ref{}, badParameter(name, "has to be ENVIRONMENT/ADDRESS, such as notes/notes.terraform.network")
	}
	return store.Ref{Environment: environment, Address: address}, nil
}

func (s *Server) path(k *call) error {
	from, err := k.refOf("from")
	if err != nil {
		return err
	}
	to, err := k.refOf("to")
	if err != nil {
		return err
	}
	edges, err := s.options.Store.Path(k.context(), from, to)
	if errors.Is(err, store.ErrNotFound) {
		return notFound("there is no resource %q, or no %q", clip(k.text("from")), clip(k.text("to")))
	}
	if err != nil {
		return err
	}
	if k.format() == formatJSON {
		return answerList(k, edges, "", "")
	}
	return s.drawPath(k, from, to, edges)
}

func (s *Server) made(k *call) error {
	refs, next, err := s.options.Store.Made(k.context(), store.Origin{Template: k.text("template"), Version: k.text("version"),
		Commit: k.text("commit"), Environment: k.text("environment"), Operation: k.text("operation"),
		RequestedBy: k.text("requested_by"), Page: k.page()})
	if err != nil {
		return err
	}
	return answerList(k, refs, "cursor", next)
}

func (s *Server) templateUsage(k *call) error {
	uses, next, err := s.options.Store.Usage(k.context(), store.Origin{Template: k.path("name"), Version: k.text("version"),
		Commit: k.text("commit"), Page: k.page()})
	if err != nil {
		return err
	}
	return answerList(k, uses, "cursor", next)
}

func (s *Server) at(k *call) error {
	m := history.Moment{Seq: k.number("seq")}
	if text := k.text("time"); text != "" {
		m.Time, _ = time.Parse(time.RFC3339, text) // take has checked it
	}
	view, err := history.At(k.context(), s.options.Store, k.path("name"), m)
	if err != nil {
		return err
	}
	view.Environment = whole(view.Environment)
	if view.Resources == nil {
		view.Resources = []environment.ResourceRecord{}
	}
	if view.Operation != nil && view.Operation.Steps == nil {
		view.Operation.Steps = map[environment.StepState]int{}
	}
	return k.answer(view)
}

func (s *Server) search(k *call) error {
	if k.text("text") == "" {
		return badParameter("text", "says what to look for; give one word or more")
	}
	q := store.Search{Text: k.text("text"), Limit: int(k.number("limit"))} //nolint:gosec // at most MaxHits
	if kinds := k.list("kind"); len(kinds) == 1 {
		q.Kind = kinds[0]
	}
	hits, err := s.options.Store.Search(k.context(), q)
	if err != nil {
		return err
	}
	return answerList(k, hits, "", "")
}
