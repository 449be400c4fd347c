package api

import (
	"context"
	"strconv"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// pollLogs is how often a stream looks for lines: the store tells of changes of the journal only.
	pollLogs = 250 * time.Millisecond
	// drainLogs is how long there has to be no line after the end of an operation: lines and results travel apart.
	drainLogs = time.Second
)

func (s *Server) logs(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	until := k.text("until") != ""
	if until && !k.streams() {
		return badParameter("until", "only a stream ends by itself; add follow")
	}
	if until && k.text("operation") != "" {
		if _, known, err := s.operation(k.context(), k.path("name"), k.text("operation")); err != nil || !known {
			return orNotFound(err, k.text("operation"))
		}
	}
	selection := store.LogSelection{
		Environment: k.path("name"), Operation: k.text("operation"), Step: k.text("step"), After: k.after(),
	}
	if k.streams() {
		return s.followLogs(k, selection, until)
	}
	limit := int(k.number("limit")) //nolint:gosec // at most mostItems
	selection.Limit = limit + 1
	lines, err := s.options.Store.ReadLogs(k.context(), selection)
	if err != nil {
		return err
	}
	next := ""
	if len(lines) > limit {
		lines = lines[:limit]
		next = strconv.FormatUint(lines[limit-1].ID, 10)
	}
	return answerList(k, lines, "after", next)
}

func orNotFound(err error, operation string) error {
	if err != nil {
		return err
	}
	return notFound("the environment has no operation %q", clip(operation))
}

func (s *Server) followLogs(k *call, selection store.LogSelection, until bool) error {
	ctx, cancel := context.WithCancel(k.context())
	defer cancel()
	selection.Limit = batchSize
	var quiet time.Time // since when the operation is over and no line has come
	return s.stream(ctx, k, pace{every: pollLogs}, func(w *eventWriter) (progress, error) {
		lines, err := s.options.Store.ReadLogs(ctx, selection)
		if err != nil {
			return waiting, err
		}
		for _, line := range lines {
			if err := w.send(strconv.FormatUint(line.ID, 10), "line", line); err != nil {
				return waiting, err
			}
			selection.After = line.ID
		}
		if len(lines) == batchSize {
			return more, w.flush()
		}
		if !until {
			return waiting, w.flush()
		}
		operation, over, err := s.over(ctx, selection)
		if err != nil || !over {
			quiet = time.Time{}
			return waiting, firstError(err, w.flush())
		}
		if len(lines) > 0 || quiet.IsZero() {
			quiet = time.Now()
		}
		if time.Since(quiet) < drainLogs {
			return waiting, w.flush()
		}
		return ended, firstError(w.send("", "end", wire.StreamEnd{Operation: operation.ID, Status: operation.Status}), w.flush())
	})
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// over tells whether the selected operation, or the environment's newest when none is, has ended.
func (s *Server) over(ctx context.Context, selection store.LogSelection) (environment.OperationRecord, bool, error) {
	operation, known, err := s.operation(ctx, selection.Environment, selection.Operation)
	return operation, known && operation.FinishedAt != nil, err
}

// operation finds an operation by its id, or the newest when the id is empty.
func (s *Server) operation(ctx context.Context, name, id string) (environment.OperationRecord, bool, error) {
	page := store.Page{Limit: 1}
	for {
		operations, next, err := s.options.Store.Operations(ctx, name, page)
		if err != nil {
			return environment.OperationRecord{}, false, err
		}
		for _, operation := range operations {
			if id == "" || operation.ID == id {
				return operation, true, nil
			}
		}
		if next == "" {
			return environment.OperationRecord{}, false, nil
		}
		page = store.Page{Cursor: next, Limit: mostItems} // the newest is asked for most, so it comes alone
	}
}
