package api

import (
	"github.com/vivarium-env/vivarium/pkg/environment"
)

// operationPlan answers with what an operation of kind plan has found.
func (s *Server) operationPlan(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	id := k.path("id")
	o, known, err := s.operation(k.context(), k.path("name"), id)
	switch {
	case err != nil:
		return err
	case !known || id == "":
		return notFound("environment %q has no operation %q", clip(k.path("name")), clip(id))
	case o.Kind != environment.PlanOperation:
		return notFound("operation %s is no plan, but of kind %s", o.ID, o.Kind)
	case o.Plan == nil:
		return notFound("operation %s is not over yet: its plan is here when it is", o.ID)
	}
	return k.answer(o.Plan)
}
