package api

import (
	"slices"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const divergencePath = wire.Prefix + "/cluster/divergence"

// divergenceRoutes tell what was set aside of the journal here.
func divergenceRoutes() []route {
	return []route{{
		id: "listDivergence", path: divergencePath, tag: "self", summary: "Entries that this side had and the primary never had, the oldest first",
		description: "Set aside when another side had taken over. They count for nothing any more; all of them on one page.",
		answers:     one("What is set aside", wire.List[store.Aside]{}), handle: (*Server).divergence,
	}, {
		id: "readDivergence", path: divergencePath + "/{id}/journal", tag: "self", summary: "What set aside entries say, in order",
		description: "Secrets are hidden.",
		query:       following(), answers: found("A page of entries", wire.List[store.Entry]{}), handle: (*Server).divergenceJournal,
	}}
}

func (s *Server) divergence(k *call) error {
	all, err := s.options.Store.Asides(k.context())
	if err != nil {
		return err
	}
	return answerList(k, all, "", "")
}

func (s *Server) divergenceJournal(k *call) error {
	all, err := s.options.Store.Asides(k.context())
	if err != nil {
		return err
	}
	id := k.path("id")
	if !slices.ContainsFunc(all, func(a store.Aside) bool { return a.ID == id }) {
		return fault.New(fault.Reject, fault.NotFound, "nothing is set aside here that is called so: %s lists what is", divergencePath)
	}
	return answerEntries(k, func(limit int) ([]store.Entry, error) {
		return s.options.Store.AsideEntries(k.context(), id, k.number("after"), limit)
	})
}
