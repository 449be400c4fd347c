package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func (s *Server) environments(k *call) error {
	by, descending := k.sort()
	filter := store.Filter{Tags: k.list("tag"), Text: k.text("text"), Template: k.text("template"), Health: k.list("health"),
		Drifted: k.drift(), Sort: store.Sort{By: store.Order(by), Descending: descending}, Page: k.page()}
	for _, status := range k.list("status") {
		filter.Statuses = append(filter.Statuses, environment.Status(status))
	}
	records, next, err := s.options.Store.Environments(k.context(), filter)
	if err != nil {
		return err
	}
	for i := range records {
		records[i] = whole(records[i])
	}
	return answerList(k, records, "cursor", next)
}

func (s *Server) environment(k *call) error {
	record, err := s.record(k)
	if err != nil {
		return err
	}
	tag := fmt.Sprintf("\"%d-%d\"", record.Epoch, record.Revision)
	header := k.echo.Response().Header()
	header.Set("Cache-Control", "no-cache")
	if matches(k.list("If-None-Match"), tag) {
		header.Set("ETag", tag)
		return k.echo.NoContent(http.StatusNotModified)
	}
	waiting, exact, err := s.waiting(k, record)
	if err != nil {
		return err
	}
	if exact {
		header.Set("ETag", tag)
	}
	return k.answer(wire.EnvironmentDetail{Record: whole(record), Waiting: waiting})
}

// record is the environment that the path names.
func (s *Server) record(k *call) (environment.Record, error) {
	name := k.path("name")
	record, err := s.options.Store.Environment(k.context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return record, notFound("there is no environment %q", clip(name))
	}
	return record, err
}

// matches is the weak comparison of RFC 9110, section 13.1.2.
func matches(headers []string, tag string) bool {
	for _, candidate := range strings.Split(strings.Join(headers, ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}

// whole replaces what is nil by what is empty: clients read lists and objects, not null.
func whole(r environment.Record) environment.Record {
	if r.Tags == nil {
		r.Tags = []string{}
	}
	if r.Templates == nil {
		r.Templates = []environment.Template{}
	}
	if r.Resources == nil {
		r.Resources = map[environment.Status]int{}
	}
	return r
}

func (s *Server) operations(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	records, next, err := s.options.Store.Operations(k.context(), k.path("name"), k.page())
	if err != nil {
		return err
	}
	for i := range records {
		if records[i].Steps == nil {
			records[i].Steps = map[environment.StepState]int{}
		}
		records[i].Plan = nil // it may be large, and has an address of its own
	}
	return answerList(k, records, "cursor", next)
}

func (k *call) page() store.Page {
	return store.Page{Cursor: k.text("cursor"), Limit: int(k.number("limit"))} //nolint:gosec // at most mostItems
}

// answerList answers with a page; by is the parameter that goes on behind it.
func answerList[T any](k *call, items []T, by, next string) error {
	if items == nil {
		items = []T{}
	}
	k.next(by, next)
	return k.answer(wire.List[T]{Items: items, Next: next})
}
