package api

import (
	"strconv"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func revisionRoutes() []route {
	return []route{{
		id: "listRevisions", path: wire.Prefix + "/environments/{name}/revisions", tag: "environments",
		summary: "What an environment was to be, one revision for each create, update, rollback and promotion",
		description: "Read from the journal, oldest first, numbered from 1; those of an environment that is made again begin anew. " +
			"environment.rollback takes such a number. Secrets are hidden.",
		query: paging(), answers: found("A page of revisions", wire.List[history.Revision]{}), handle: (*Server).revisions,
	}}
}

// revisions are paged by their numbers.
func (s *Server) revisions(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	after, err := strconv.ParseUint(k.text("cursor"), 10, 31)
	if err != nil && k.text("cursor") != "" {
		return store.ErrCursor
	}
	all, err := history.Revisions(k.context(), s.options.Store, k.path("name"))
	if err != nil {
		return err
	}
	all = all[min(int(after), len(all)):] //nolint:gosec // 31 bits
	next := ""
	if limit := int(k.number("limit")); len(all) > limit { //nolint:gosec // at most mostItems
		all = all[:limit]
		next = strconv.Itoa(all[limit-1].Number)
	}
	return answerList(k, all, "cursor", next)
}
