package api

import (
	"math"
	"net/http"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// routes is the table. Everything that is served is in it, and everything that is in it is served.
func routes() []route {
	all := []route{{
		id: "root", path: "/", tag: "self", summary: "Where to go from here", handle: (*Server).root,
		answers: []answer{{status: http.StatusOK, mime: mimeText, description: "Addresses, one a line"}},
	}, {
		id: "doc", path: wire.Prefix + "/doc", tag: "self", summary: "This document", handle: (*Server).doc,
		answers: []answer{{status: http.StatusOK, mime: mimeJSON, description: "OpenAPI 3.1", body: map[string]any{}}},
	}}
	all = append(all, selfRoutes()...)
	all = append(all, route{
		id: "listRunners", path: wire.Prefix + "/runners", tag: "self", summary: "Runners that were heard lately",
		description: "All of them on one page. A runner that was not heard for some seconds is not listed.",
		answers:     one("The runners", wire.List[wire.Runner]{}), handle: (*Server).runners,
	})
	all = append(all, clusterRoute())
	all = append(all, divergenceRoutes()...)
	all = append(all, environmentRoutes()...)
	all = append(all, operationRoutes()...)
	all = append(all, revisionRoutes()...)
	all = append(all, graphRoutes()...)
	return append(all, templateRoutes()...)
}

func selfRoutes() []route {
	const self = wire.Prefix + "/self/"
	return []route{
		{
			id: "info", path: self + "info", tag: "self", summary: "Who answers: version, role, bus, store",
			answers: one("The server", wire.Info{}), handle: (*Server).info,
		}, {
			id: "ping", path: self + "ping", tag: "self", summary: "Whether anybody answers",
			answers: one("Pong", wire.Ping{}), handle: (*Server).ping,
		}, {
			id: "liveliness", path: self + "liveliness", tag: "self", summary: "Whether the process works",
			description: "Answers 200 as long as the process works: restarting it mends nothing that it depends on.",
			query:       []parameter{{name: "type", enum: []string{"summary", "detailed"}, initial: "summary", description: "With or without the checks"}},
			answers:     one("Alive", wire.Health{}), handle: (*Server).liveliness,
		}, {
			id: "readiness", path: self + "readiness", tag: "self", summary: "Whether it makes sense to ask this server",
			answers: append(one("Ready", wire.Health{}), problemAnswer(http.StatusServiceUnavailable, "Not ready; the checks say why")),
			handle:  (*Server).readiness,
		}, {
			id: "started", path: self + "started", tag: "self", summary: "Whether the server has started",
			answers: append(one("Started", wire.Started{}), problemAnswer(http.StatusServiceUnavailable, "Still starting")),
			handle:  (*Server).started,
		},
	}
}

func environmentRoutes() []route {
	const all, single = wire.Prefix + "/environments", wire.Prefix + "/environments/{name}"
	return []route{
		sparse(route{
			id: "listEnvironments", path: all, tag: "environments", summary: "Environments, filtered",
			query: append([]parameter{
				{name: "status", enum: statusNames(), many: true, commas: true, description: "Any of these statuses"},
				{name: "tag", many: true, description: "All of these tags"},
				{name: "text", description: "Words that begin in name, description or tags, in any order"},
				{name: "template", description: "Made from this template: name, or name@version"},
				{name: "health", enum: environmentHealths(), many: true, commas: true, description: "Any of these; where nothing is watched there is none"},
				drifted(), sorting(environmentOrders()...),
			}, paging()...),
			answers: one("A page of environments", wire.List[environment.Record]{}), handle: (*Server).environments,
		}),
		sparse(route{
			id: "getEnvironment", path: single, tag: "environments", summary: "One environment, and what it waits for",
			headers: []parameter{{name: "If-None-Match", description: "Answer only when the environment has changed", many: true}},
			answers: []answer{
				{status: http.StatusOK, mime: mimeJSON, description: "The environment", body: wire.EnvironmentDetail{},
					headers: map[string]string{"ETag": "Changes with the environment's revision"}},
				{status: http.StatusNotModified, description: "Not changed"},
				problemAnswer(http.StatusNotFound, "No such environment"),
			}, handle: (*Server).environment,
		}),
		sparse(route{
			id: "listResources", path: single + "/resources", tag: "environments", summary: "Resources and actions of an environment",
			description: "Each step that neither runs nor is over says in step.reason why, and what would free it.",
			query: append([]parameter{
				{name: "status", enum: statusNames(), many: true, commas: true, description: "Any of these statuses"},
				{name: "health", enum: resourceHealths(), many: true, commas: true, description: "Any of these; what is not watched has none"},
				drifted(), sorting("address", "status", "executor", "updated_at"),
			}, paging()...), answers: found("A page of resources", wire.List[environment.ResourceRecord]{}), handle: (*Server).resources,
		}),
		sparse(route{
			id: "getResource", path: single + "/resources/{address}", tag: "environments", summary: "One resource or action",
			answers: found("The resource", environment.ResourceRecord{}), handle: (*Server).resource,
		}), {
			id: "getUsage", path: single + "/resources/{address}/usage", tag: "environments", summary: "What a resource uses now",
			description: "Measured only while somebody asks: the first answer may take some seconds, later ones are up to half a minute old.",
			answers: append(found("CPU, memory and network of each replica", wire.MeasuredUsage{}),
				problemAnswer(http.StatusServiceUnavailable, "Nobody measures it; the detail says why")), handle: (*Server).usage,
		},
		drawn(route{
			id: "getGraph", path: single + "/graph", tag: "environments", summary: "What depends on what, and how far it is",
			answers: found("The graph", wire.Graph{}), handle: (*Server).graph,
		}),
	}
}

func operationRoutes() []route {
	const single = wire.Prefix + "/environments/{name}"
	lastID := []parameter{{name: "Last-Event-ID", kind: numberValue, description: "Go on behind this event of a stream; comes before the parameter after"}}
	lastLine := []parameter{{name: "Last-Event-ID", kind: positionValue, description: "Go on behind this event of a stream; comes before the parameter after"}}
	stream := func(what string) answer {
		return answer{status: http.StatusOK, mime: mimeStream, description: what}
	}
	return []route{
		sparse(route{
			id: "listOperations", path: single + "/operations", tag: "environments", summary: "Operations of an environment, newest first",
			query: paging(), answers: found("A page of operations", wire.List[environment.OperationRecord]{}), handle: (*Server).operations,
		}), {
			id: "getPlan", path: single + "/operations/{id}/plan", tag: "environments", summary: "What would change, as a plan has found",
			description: "Of an operation of kind plan that is over. Differences hold no secret.",
			answers:     found("The plan", environment.PlanRecord{}), handle: (*Server).operationPlan,
		}, {
			id: "readJournal", path: single + "/journal", tag: "environments", summary: "What has happened, in order",
			description: "With Accept: text/event-stream a live stream: id is the entry's sequence, event its type, data the entry. " +
				"Data of an entry is described by the schema of the event of its type.",
			query: following(), headers: lastID, live: true, handle: (*Server).journal,
			answers: append(found("A page of entries", wire.List[store.Entry]{}), stream("Entries as they are written")),
		}, {
			id: "readLogs", path: single + "/logs", tag: "environments", summary: "What the executors have printed",
			description: streamOfLines + " id is the line's id, at which it can be taken up again. until ends it once the operation is over.",
			query: append(append([]parameter{
				{name: "step", description: "Only of this address"},
			}, lineParameters("settled", "ended")...), following()...), headers: lastLine, live: true, handle: (*Server).logs,
			answers: append(found("A page of lines", wire.List[store.LogRecord]{}), stream("Lines as they come")),
		}, {
			id: "readStepLogs", path: single + "/steps/{address}/logs", tag: "environments", summary: "What one step has printed",
			description: streamOfLines + " id is a position, at which it can be taken up again by Last-Event-ID. until ends it once the " +
				"step, or the attempt that is asked for, has ended; what a container prints while it is deployed goes on after that, as lines of " +
				"attempt 0, until it is destroyed or another operation is at it.",
			query: append(lineParameters("ended"), following()...), headers: lastLine, live: true, handle: (*Server).stepLogs,
			answers: append(found("A page of lines", wire.List[store.LogRecord]{}), stream("Lines as they come")),
		},
	}
}

const streamOfLines = "With follow, or Accept: text/event-stream, a live stream: event is \"line\", data the line. " +
	"What a reader does not get, because it was pruned before it was read or never came, is told by an event \"missed\", whose data " +
	"has the number of lines and of which attempt they are. With until, the last event is \"end\"."

// lineParameters select lines, and say whether and for how long they are streamed.
func lineParameters(until ...string) []parameter {
	return []parameter{
		{name: "operation", description: "Only of this operation"},
		{name: "attempt", kind: numberValue, min: 1, max: math.MaxInt32, description: "Only of this attempt"},
		{name: "follow", kind: flagValue, description: "Stream lines as they come"},
		{name: "until", enum: until, description: "End the stream with an event \"end\" once nothing more is to come"},
	}
}

func templateRoutes() []route {
	const all = wire.Prefix + "/templates"
	return []route{
		sparse(route{
			id: "listTemplates", path: all, tag: "templates", summary: "Templates of the catalogue", query: paging(),
			answers: one("A page of templates", wire.List[wire.TemplateSummary]{}), handle: (*Server).templates,
		}), {
			id: "getTemplateVersions", path: all + "/{name}", tag: "templates", summary: "Versions of a template, newest first",
			answers: found("The versions", wire.TemplateVersions{}), handle: (*Server).templateVersions,
		}, {
			id: "getTemplate", path: all + "/{name}/{version}", tag: "templates", summary: "What a template takes, makes and puts out",
			answers: append(found("The template", wire.Template{}),
				problemAnswer(http.StatusUnprocessableEntity, "The template has mistakes; the diagnostics say where")),
			handle: (*Server).template,
		}, impactRoute(),
	}
}

const (
	mostItems    = 1000
	defaultItems = 100
)

func paging() []parameter {
	return []parameter{
		{name: "limit", kind: numberValue, min: 1, max: mostItems, absent: defaultItems, description: "Items of a page"},
		{name: "cursor", description: "Where to go on: next of the page before"},
	}
}

func following() []parameter {
	return []parameter{
		{name: "after", kind: numberValue, description: "Only what is behind this number; next of the page before"},
		{name: "limit", kind: numberValue, min: 1, max: mostItems, absent: mostItems, description: "Items of a page"},
	}
}

func one(description string, body any) []answer {
	a := answer{status: http.StatusOK, mime: mimeJSON, description: description, body: body}
	if isList(body) {
		a.headers = map[string]string{"Link": `rel="next" leads to the following page, when there is one`}
	}
	return []answer{a}
}

func found(description string, body any) []answer {
	return append(one(description, body), problemAnswer(http.StatusNotFound, "There is no such thing"))
}

func problemAnswer(status int, description string) answer {
	return answer{status: status, mime: mimeProblem, description: description, body: wire.Problem{}}
}

func resourceHealths() []string {
	var names []string
	for _, h := range event.HealthStatuses() {
		names = append(names, string(h))
	}
	return names
}

func statusNames() []string {
	var names []string
	for _, s := range environment.Statuses() {
		names = append(names, string(s))
	}
	return names
}

// where is the text shown at the root.
func where() string {
	var b strings.Builder
	b.WriteString("Vivarium\n\n")
	for _, r := range routes() {
		if len(pathParameters(r.path)) == 0 && r.path != "/" {
			b.WriteString(r.path + "  " + strings.ToLower(r.summary[:1]) + r.summary[1:] + "\n")
		}
	}
	return b.String()
}
