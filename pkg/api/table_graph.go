package api

import (
	"math"
	"net/http"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// mostDepth is how far a walk may be asked to go; without a depth it goes to the end.
const mostDepth = 1000

// graphRoutes answer what only the edges tell.
func graphRoutes() []route {
	const single = wire.Prefix + "/environments/{name}"
	const resource = single + "/resources/{address}"
	depth := []parameter{{name: "depth", kind: numberValue, min: 1, max: mostDepth, description: "How many edges to go; to the end unless given"}}
	const across = "Edges lead from what depends to what it stands on, also into other environments whose outputs are consumed. " +
		"An answer holds at most 20000 edges, and says when it was cut."
	reach := found("What was reached, nearest first", store.Reach{})
	return []route{
		drawn(route{
			id: "getDependencies", path: resource + "/dependencies", tag: "graph", summary: "What a resource stands on", description: across,
			query: depth, answers: reach, handle: walking(store.Dependencies),
		}),
		drawn(route{
			id: "getDependents", path: resource + "/dependents", tag: "graph", summary: "What stands on a resource", description: across,
			query: depth, answers: reach, handle: walking(store.Dependents),
		}),
		drawn(route{
			id: "getEnvironmentDependencies", path: single + "/dependencies", tag: "graph",
			summary: "What an environment uses of others", description: across, query: depth, answers: reach, handle: walking(store.Dependencies),
		}),
		drawn(route{
			id: "getEnvironmentDependents", path: single + "/dependents", tag: "graph",
			summary: "What uses an environment", description: across, query: depth, answers: reach, handle: walking(store.Dependents),
		}),
		drawn(route{
			id: "getImpact", path: resource + "/impact", tag: "graph", summary: "What breaks if a resource goes",
			answers: found("All that stands on it, by environment", wire.Impact{}), handle: (*Server).impact,
		}),
		drawn(route{
			id: "getEnvironmentImpact", path: single + "/impact", tag: "graph", summary: "What breaks if an environment goes",
			answers: found("All that stands on it, by environment", wire.Impact{}), handle: (*Server).impact,
		}),
		drawn(route{
			id: "getPath", path: wire.Prefix + "/path", tag: "graph", summary: "A shortest way from a resource to one that it stands on",
			query: []parameter{
				{name: "from", description: "ENVIRONMENT/ADDRESS"}, {name: "to", description: "ENVIRONMENT/ADDRESS"},
			}, answers: found("The edges of the way, none when there is none", wire.List[store.Edge]{}), handle: (*Server).path,
		}),
		{
			id: "listConsumers", path: single + "/consumers", tag: "graph", summary: "Who uses outputs of an environment",
			answers: found("One edge each use, all on one page", wire.List[store.Edge]{}), handle: (*Server).consumers,
		}, {
			id: "getLineage", path: resource + "/lineage", tag: "graph", summary: "Where a resource comes from",
			description: "Template with its commit, parameters, and the operation that made it, with who asked.",
			answers:     found("The lineage", store.Lineage{}), handle: (*Server).lineage,
		}, {
			id: "listMade", path: wire.Prefix + "/resources", tag: "graph", summary: "What came of a template, a commit, an operation or a person",
			description: "Lineage backwards. At least one parameter has to be given; all that are have to hold.",
			query: append([]parameter{
				{name: "template", description: "Name of a template"}, {name: "version", description: "Version of the template"},
				{name: "commit", description: "Commit of the catalogue, or at least seven characters of it"},
				{name: "environment", description: "Only of this environment"},
				{name: "operation", description: "Operation that made it"},
				{name: "requested_by", description: "Who asked for that operation"},
			}, paging()...), answers: one("A page of resources", wire.List[store.Ref]{}), handle: (*Server).made,
		}, {
			id: "listTemplateUsage", path: wire.Prefix + "/templates/{name}/usage", tag: "graph", summary: "Environments that are made from a template",
			description: "Those that are destroyed are listed, too; their status says so.",
			query: append([]parameter{
				{name: "version", description: "Only of this version"},
				{name: "commit", description: "Only of this commit, or at least seven characters of it"},
			}, paging()...), answers: one("A page of uses", wire.List[store.Use]{}), handle: (*Server).templateUsage,
		}, {
			id: "getEnvironmentAt", path: single + "/at", tag: "graph", summary: "An environment as it stood at an earlier time",
			description: "Folded from the journal. Without parameters it is as it stands now.",
			query: []parameter{
				{name: "time", kind: timeValue, description: "RFC 3339, such as 2026-03-01T12:00:00Z"},
				{name: "seq", kind: numberValue, min: 1, max: math.MaxInt64, description: "The journal's sequence"},
			}, answers: found("The environment then", history.View{}), handle: (*Server).at,
		}, {
			id: "search", path: wire.Prefix + "/search", tag: "graph", summary: "Environments and resources with some words, best first",
			description: "Words may stand in names, descriptions, tags and outputs that are not sensitive. Each has to begin a word there.",
			query: []parameter{
				{name: "text", description: "The words"},
				{name: "kind", enum: []string{store.EnvironmentHit, store.ResourceHit}, many: true, commas: true, description: "Only of these kinds"},
				{name: "limit", kind: numberValue, min: 1, max: store.MaxHits, absent: 20, description: "Hits at most"},
			}, answers: []answer{{status: http.StatusOK, mime: mimeJSON, description: "The hits, all on one page", body: wire.List[store.Hit]{}}},
			handle: (*Server).search,
		},
	}
}
