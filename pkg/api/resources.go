package api

import (
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func (s *Server) resources(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	if k.picks() {
		return s.pickedResources(k)
	}
	records, next, err := s.options.Store.Resources(k.context(), k.path("name"), k.page())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(records, waits) {
		all := records
		if next != "" || k.text("cursor") != "" {
			if all, err = s.everyResource(k); err != nil {
				return err
			}
		}
		e := s.explainer(all)
		for i := range records {
			records[i].Step = e.explain(&records[i])
		}
	}
	return answerList(k, records, "cursor", next)
}

// pickedResources is a list that is filtered or sorted.
func (s *Server) pickedResources(k *call) error {
	all, err := s.everyResource(k)
	if err != nil {
		return err
	}
	e := s.explainer(all)
	records, next, err := k.pick(slices.Clone(all))
	if err != nil {
		return err
	}
	for i := range records {
		if waits(records[i]) {
			records[i].Step = e.explain(&records[i])
		}
	}
	return answerList(k, records, "cursor", next)
}

func (s *Server) resource(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	all, err := s.everyResource(k)
	if err != nil {
		return err
	}
	address := k.path("address")
	i := slices.IndexFunc(all, func(r environment.ResourceRecord) bool { return r.Address == address })
	if i < 0 {
		return notFound("the environment %q has no resource %q", clip(k.path("name")), clip(address))
	}
	if waits(all[i]) {
		all[i].Step = s.explainer(all).explain(&all[i])
	}
	return k.answer(all[i])
}

func (s *Server) everyResource(k *call) ([]environment.ResourceRecord, error) {
	all, _, err := s.options.Store.Resources(k.context(), k.path("name"), store.Page{Limit: -1})
	return all, err
}
