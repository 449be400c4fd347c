package api

import (
	"net/http"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// mostLooked bounds a page: each environment is folded and resolved anew.
const mostLooked = 200

func impactRoute() route {
	return route{
		id: "getTemplateImpact", path: wire.Prefix + "/templates/{name}/impact", tag: "templates",
		summary: "What a template would change in every live environment that is made from it",
		description: "Each environment is resolved anew with the parameters that were given to it, and held against what it was given last. " +
			"Nothing is changed, and no executor is asked: what one would replace is counted as an update. Environments that would refuse " +
			"the update have the error. A page may end early, for there is a time bound; next goes on.",
		asks: "The edited folder, packed: a gzipped tar of regular files whose names are relative, of at most 4 MiB, and 64 MiB unpacked. " +
			"The template in it has the name of the address; version is left out. Changes nothing. As anybody who reads may ask, secrets " +
			"of the environments are not opened: what depends on one is unknown. Modules are not fetched; `vivarium template impact` packs them.",
		query: []parameter{
			{name: "version", description: "Of the catalogue; the newest when it is not given"},
			{name: "limit", kind: numberValue, min: 1, max: mostLooked, absent: defaultItems, description: "Environments of a page"},
			{name: "cursor", description: "Where to go on: next of the page before"},
		},
		answers: append(found("A page of environments, in the order of their names", wire.TemplateImpact{}),
			problemAnswer(http.StatusUnprocessableEntity, "The template has mistakes; the diagnostics say where"),
			problemAnswer(http.StatusServiceUnavailable, "This server can't tell; ask the primary")),
		handle: (*Server).templateImpact,
	}
}

func (s *Server) templateImpact(k *call) error {
	if s.options.Impact == nil {
		return fault.New(fault.Wait, fault.Unavailable, "this server can't tell what a template would change: ask the primary")
	}
	packed, err := k.body()
	if err != nil {
		return err
	}
	answer, err := s.options.Impact(k.context(), ImpactQuestion{Name: k.path("name"), Version: k.text("version"), Packed: packed,
		Limit: int(k.number("limit")), Cursor: k.text("cursor"), Within: s.options.Timeout / 3}) //nolint:gosec // at most mostLooked
	if err != nil {
		return err
	}
	k.next("cursor", answer.Next)
	return k.answer(answer)
}
