package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// stepLogs are those of one step, over all operations unless one is named.
func (s *Server) stepLogs(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	selection := store.LogSelection{
		Environment: k.path("name"), Operation: k.text("operation"), Step: k.path("address"), Attempt: int(k.number("attempt")), //nolint:gosec // at most mostAttempt
	}
	if !k.streams() {
		return s.logPage(k, selection, func() error {
			_, err := s.step(k.context(), selection)
			return err
		})
	}
	e := &stepEnding{Server: s, selection: selection}
	if err := e.look(k.context()); err != nil {
		return err
	}
	if k.text("until") == "" {
		return s.followLogs(k, selection, nil)
	}
	return s.followLogs(k, selection, e.ended)
}

// step is the node that a selection names, with its present step.
func (s *Server) step(ctx context.Context, selection store.LogSelection) (environment.ResourceRecord, error) {
	all, _, err := s.options.Store.Resources(ctx, selection.Environment, store.Page{Limit: -1})
	if err != nil {
		return environment.ResourceRecord{}, err
	}
	for i := range all {
		if all[i].Address == selection.Step {
			return all[i], nil
		}
	}
	return environment.ResourceRecord{}, notFound("the environment %q has no step %q", clip(selection.Environment), clip(selection.Step))
}

// stepEnding finds out when a step has ended. It reads all resources, which may be many, so it does so only when the
// journal says that something has happened to the step.
type stepEnding struct {
	*Server
	selection store.LogSelection
	seq       uint64 // of the journal, as of which present is right
	present   environment.StepRecord
	prints    bool // as of then it is a resource that runs, whose output is followed
}

func (e *stepEnding) look(ctx context.Context) error {
	record, err := e.options.Store.Environment(ctx, e.selection.Environment)
	if err != nil {
		return err
	}
	e.seq = record.Revision // read first: what the step's record has in advance is looked at twice
	node, err := e.step(ctx, e.selection)
	e.present = node.Step
	e.prints = err == nil && node.Status == environment.Deployed && node.Type == environment.ResourceNode &&
		(record.Status == environment.Deployed || !record.Status.Settled()) && e.options.Follows(node.Executor)
	return err
}

// ended gives the stream's last event once the selected attempts of the step are over, nil before.
func (e *stepEnding) ended(ctx context.Context) (any, error) {
	changed, err := e.changed(ctx)
	if err != nil {
		return nil, err
	}
	if changed {
		if err := e.look(ctx); err != nil && !gone(err) {
			return nil, err
		}
	}
	p := e.present
	switch {
	case e.superseded():
		return wire.StepEnd{Operation: e.selection.Operation, Step: e.selection.Step, Attempt: e.selection.Attempt}, nil
	case p.State != "" && !p.State.Ended(), e.prints && e.selection.Attempt == 0:
		return nil, nil
	}
	return wire.StepEnd{Operation: p.Operation, Step: e.selection.Step, Attempt: p.Attempt, State: p.State}, nil
}

// gone tells whether the environment was made anew without the step.
func gone(err error) bool { return errors.Is(err, store.ErrNotFound) || fault.Is(err, fault.NotFound) }

// superseded tells whether a later operation or attempt has begun than the one that was asked for.
func (e *stepEnding) superseded() bool {
	return e.selection.Operation != "" && e.present.Operation != e.selection.Operation ||
		e.selection.Attempt > 0 && e.present.Attempt > e.selection.Attempt
}

// changed reads on in the journal.
func (e *stepEnding) changed(ctx context.Context) (bool, error) {
	found := false
	for {
		entries, err := e.entries(ctx, e.selection.Environment, e.seq, batchSize)
		if err != nil {
			return false, err
		}
		for _, entry := range entries {
			e.seq = entry.Seq
			found = found || concerns(entry, e.selection.Step)
		}
		if len(entries) < batchSize {
			return found, nil
		}
	}
}

// concerns tells whether an entry may change the state of a step.
func concerns(entry store.Entry, step string) bool {
	if !strings.HasPrefix(entry.Type, "step.") {
		return entry.Type != (environment.Held{}).Type()
	}
	if entry.Type == (environment.StepProgress{}).Type() {
		return false
	}
	var about struct {
		Step string `json:"step"`
	}
	return json.Unmarshal(entry.Data, &about) != nil || about.Step == step
}
