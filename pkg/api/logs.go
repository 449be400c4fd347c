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
	// drainLogs is how long there has to be no line after the end of an operation or a step: lines and results travel apart.
	drainLogs = time.Second
	// logPage is how many lines a stream holds at once.
	logPage = 256
)

// logs are those of an environment.
func (s *Server) logs(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	selection := store.LogSelection{
		Environment: k.path("name"), Operation: k.text("operation"), Step: k.text("step"), Attempt: int(k.number("attempt")), //nolint:gosec // at most mostAttempt
	}
	if !k.streams() {
		return s.logPage(k, selection, nil)
	}
	if k.text("until") == "" {
		return s.followLogs(k, selection, nil)
	}
	if selection.Operation != "" {
		if _, known, err := s.operation(k.context(), selection.Environment, selection.Operation); err != nil || !known {
			return orNotFound(err, selection.Operation)
		}
	}
	return s.followLogs(k, selection, func(ctx context.Context) (any, error) {
		operation, over, err := s.over(ctx, selection)
		if err != nil || !over {
			return nil, err
		}
		return wire.StreamEnd{Operation: operation.ID, Status: operation.Status}, nil
	})
}

// logPage answers with lines behind a position; absent, when not nil, is asked for the error when there are none.
func (s *Server) logPage(k *call, selection store.LogSelection, absent func() error) error {
	if k.text("until") != "" {
		return badParameter("until", "only a stream ends by itself; add follow")
	}
	limit := int(k.number("limit")) //nolint:gosec // at most mostItems
	selection.After, selection.Limit = k.position().id, limit+1
	lines, err := s.lines(k.context(), selection)
	if err != nil {
		return err
	}
	if len(lines) == 0 && absent != nil {
		if err := absent(); err != nil {
			return err
		}
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
