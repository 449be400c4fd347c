package client

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// at is the path of a resource, or of an environment as a whole, and of a question about it.
func at(r store.Ref, question string) string {
	if r.Address == "" {
		return of(r.Environment, question)
	}
	return of(r.Environment, "resources", r.Address, question)
}

// text asks for a graph in another format than JSON.
func (a *API) text(ctx context.Context, path string, query url.Values, format string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	query.Set("format", format)
	response, err := a.ask(ctx, path, query, nil)
	if err != nil {
		return nil, err
	}
	defer closeBody(response)
	return body(response)
}

// Graph is the environment's graph as text: format is json, dot, mermaid or svg.
func (a *API) Graph(ctx context.Context, name, format string) ([]byte, error) {
	return a.text(ctx, of(name, "graph"), url.Values{}, format)
}

func walkQuery(w store.Walk) url.Values {
	q := url.Values{}
	if w.Depth != 0 {
		q.Set("depth", strconv.Itoa(w.Depth))
	}
	return q
}

// DrawWalk is Walk as a drawing: format is dot, mermaid or svg.
func (a *API) DrawWalk(ctx context.Context, w store.Walk, format string) ([]byte, error) {
	return a.text(ctx, at(w.From, string(w.Direction)), walkQuery(w), format)
}

// Walk asks what something stands on, or what stands on it; depth 0 goes to the end.
func (a *API) Walk(ctx context.Context, w store.Walk) (store.Reach, error) {
	return get[store.Reach](ctx, a, at(w.From, string(w.Direction)), walkQuery(w))
}

// Impact is what breaks if a resource, or an environment, goes.
func (a *API) Impact(ctx context.Context, r store.Ref) (wire.Impact, error) {
	return get[wire.Impact](ctx, a, at(r, "impact"), nil)
}

// DrawImpact is Impact as a drawing: format is dot, mermaid or svg.
func (a *API) DrawImpact(ctx context.Context, r store.Ref, format string) ([]byte, error) {
	return a.text(ctx, at(r, "impact"), url.Values{}, format)
}

// Consumers are the uses of an environment's outputs by others.
func (a *API) Consumers(ctx context.Context, environment string) ([]store.Edge, error) {
	list, err := get[wire.List[store.Edge]](ctx, a, of(environment, "consumers"), nil)
	return list.Items, err
}

// Path is a shortest way from one resource to another that it stands on; empty when there is none.
func (a *API) Path(ctx context.Context, from, to store.Ref) ([]store.Edge, error) {
	list, err := get[wire.List[store.Edge]](ctx, a, "/path", pathQuery(from, to))
	return list.Items, err
}

func pathQuery(from, to store.Ref) url.Values {
	return url.Values{"from": {from.Environment + "/" + from.Address}, "to": {to.Environment + "/" + to.Address}}
}

// DrawPath is Path as a drawing: format is dot, mermaid or svg.
func (a *API) DrawPath(ctx context.Context, from, to store.Ref, format string) ([]byte, error) {
	return a.text(ctx, "/path", pathQuery(from, to), format)
}

// Lineage is where a resource comes from.
func (a *API) Lineage(ctx context.Context, r store.Ref) (store.Lineage, error) {
	return get[store.Lineage](ctx, a, at(r, "lineage"), nil)
}

// Made are all resources of an origin; its Page is not used.
func (a *API) Made(ctx context.Context, o store.Origin) ([]store.Ref, error) {
	q := url.Values{}
	set(q, "template", o.Template)
	set(q, "version", o.Version)
	set(q, "commit", o.Commit)
	set(q, "environment", o.Environment)
	set(q, "operation", o.Operation)
	set(q, "requested_by", o.RequestedBy)
	return everyOf[store.Ref](ctx, a, "/resources", q)
}

// TemplateUsage are all environments of a template; version and commit may be empty.
func (a *API) TemplateUsage(ctx context.Context, template, version, commit string) ([]store.Use, error) {
	q := url.Values{}
	set(q, "version", version)
	set(q, "commit", commit)
	return everyOf[store.Use](ctx, a, "/templates/"+url.PathEscape(template)+"/usage", q)
}

// TemplateImpact calls page with what a template would change in the environments that are made from it, a page at a time; ref is
// NAME or NAME@VERSION of the catalogue.
func (a *API) TemplateImpact(ctx context.Context, ref string, page func(wire.TemplateImpact) error) error {
	return a.templateImpact(ctx, ref, nil, page)
}

// FolderImpact is TemplateImpact of an edited folder, packed as package bundle does; name is that of the template in it.
func (a *API) FolderImpact(ctx context.Context, name string, packed []byte, page func(wire.TemplateImpact) error) error {
	return a.templateImpact(ctx, name, packed, page)
}

func (a *API) templateImpact(ctx context.Context, ref string, packed []byte, page func(wire.TemplateImpact) error) error {
	name, version, _ := strings.Cut(ref, "@")
	for cursor := ""; ; {
		q := url.Values{}
		set(q, "version", version)
		set(q, "cursor", cursor)
		answer, err := send[wire.TemplateImpact](ctx, a, "/templates/"+url.PathEscape(name)+"/impact", q, packed)
		if err != nil {
			return err
		}
		if err := page(answer); err != nil || answer.Next == "" {
			return err
		}
		cursor = answer.Next
	}
}

// EnvironmentAt is an environment as it stood at a moment.
func (a *API) EnvironmentAt(ctx context.Context, name string, m history.Moment) (history.View, error) {
	q := url.Values{}
	if m.Seq > 0 {
		q.Set("seq", strconv.FormatUint(m.Seq, 10))
	}
	if !m.Time.IsZero() {
		q.Set("time", m.Time.UTC().Format(time.RFC3339Nano))
	}
	return get[history.View](ctx, a, of(name, "at"), q)
}

// Search gives the best hits first.
func (a *API) Search(ctx context.Context, s store.Search) ([]store.Hit, error) {
	q := url.Values{"text": {s.Text}}
	set(q, "kind", s.Kind)
	if s.Limit > 0 {
		q.Set("limit", strconv.Itoa(s.Limit))
	}
	list, err := get[wire.List[store.Hit]](ctx, a, "/search", q)
	return list.Items, err
}
