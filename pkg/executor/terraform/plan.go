package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Plan asks the program what it would do. What it saves is the program's own plan, which an Apply carries out.
func (e *Executor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	run, err := e.begin(ctx, r)
	if err != nil {
		return executor.Plan{}, err
	}
	defer run.close()
	run.look = true
	if plan, certain := run.foreseen(verb); certain {
		return plan, nil
	}
	if err := run.open(ctx); err != nil {
		return executor.Plan{}, err
	}
	if len(r.Unknown) > 0 || run.missing { // without its workspace, the program would plan in another one
		return run.planUnknown(ctx, verb)
	}
	var flags []string
	if verb == event.Destruct {
		flags = append(flags, "-destroy")
	}
	found, saved, err := run.plan(ctx, flags...)
	if err != nil {
		return executor.Plan{}, err
	}
	plan := executor.Plan{Plan: run.planned(found, verb)}
	if verb == event.Apply {
		plan.Saved, err = json.Marshal(savedPlan{Basis: run.basis(), Plan: saved})
	}
	return plan, err
}

// foreseen is the plan where no program has to be asked: nothing is there that could be destroyed, or looked at while the
// inputs are unknown.
func (run *run) foreseen(verb event.Verb) (plan executor.Plan, certain bool) {
	if run.module.backend != "" {
		return plan, false
	}
	state, err := run.keeper.parsed()
	if err != nil || len(state.managed()) > 0 {
		return plan, false
	}
	switch {
	case verb == event.Destruct:
		plan.Change = event.ChangeNone
	case len(run.request.Unknown) > 0 && run.request.Adopt != nil:
		plan.Change, plan.Until = event.ChangeUnknown, run.request.Until()
	case len(run.request.Unknown) > 0:
		plan.Change = event.ChangeCreate
	default:
		return plan, false
	}
	return plan, true
}

// planUnknown is the plan of a module whose inputs are not known yet, or that has no workspace yet: the program can't be asked, since it knows no unknown
// inputs, and a made-up value would make up the plan. What is there is still known.
func (run *run) planUnknown(ctx context.Context, verb event.Verb) (executor.Plan, error) {
	state, err := run.state(ctx)
	if err != nil {
		return executor.Plan{}, err
	}
	there := state.managed()
	switch {
	case verb == event.Destruct && len(there) > 0:
		p := event.Plan{Change: event.ChangeDestroy}
		for _, address := range there {
			p.Differences = append(p.Differences, event.Difference{Path: address, Change: event.ChangeDestroy})
		}
		return executor.Plan{Plan: p}, nil
	case verb == event.Destruct:
		return executor.Plan{Plan: event.Plan{Change: event.ChangeNone}}, nil
	case len(there) == 0 && run.request.Adopt == nil:
		return executor.Plan{Plan: event.Plan{Change: event.ChangeCreate}}, nil
	}
	return executor.Plan{Plan: event.Plan{Change: event.ChangeUnknown, Until: run.request.Until()}}, nil
}

// Observe compares what is there with the state by a plan that only refreshes. When the state has nothing in it, nobody is
// asked.
func (e *Executor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	unknown := event.Observation{Presence: event.PresenceUnknown}
	run, err := e.begin(ctx, r)
	if err != nil {
		return unknown, err
	}
	defer run.close()
	run.look = true
	if run.module.backend != "" {
		if err := run.open(ctx); err != nil {
			return unknown, err
		}
	}
	state, err := run.state(ctx)
	if err != nil {
		return unknown, err
	}
	if len(state.managed()) == 0 {
		return event.Observation{Presence: event.Absent}, nil
	}
	if run.module.backend == "" {
		if err := run.open(ctx); err != nil {
			return unknown, err
		}
	}
	found, _, err := run.plan(ctx, "-refresh-only")
	if err != nil {
		return unknown, err
	}
	return run.observed(found, state), nil
}

// plan runs the program's plan and reads it: as the program shows it, and as it saves it. The plan may hold secrets and is
// on no disk.
func (run *run) plan(ctx context.Context, flags ...string) (found *tfjson.Plan, saved []byte, err error) {
	h := &hidden{dir: run.request.WorkDir}
	defer func() {
		if gone := h.close(); gone != nil && err == nil {
			err = run.wrap(ctx, gone, "the plan of %s can't be taken away again", run.request.Step)
		}
	}()
	inputs, err := h.add(variablesFile, run.block.Inputs)
	var out string
	if err == nil {
		out, err = h.add(planFile, nil)
	}
	if err != nil {
		return nil, nil, run.wrap(ctx, err, "the inputs of %s can't be handed over", run.request.Step)
	}
	// Nobody waits for a plan's lock: what it is based on is compared when it is applied.
	args := append([]string{plan, "-json", "-input=false", "-no-color", "-lock=false", "-var-file=" + inputs, "-out=" + out}, flags...)
	if err := run.talk(ctx, h, args...); err != nil {
		return nil, nil, err
	}
	if found, err = run.show(ctx, h, out); err != nil {
		return nil, nil, err
	}
	if saved, err = h.read(1); err != nil {
		return nil, nil, run.wrap(ctx, err, "the plan of %s can't be read", run.request.Step)
	}
	return found, saved, nil
}

// show has the program tell what is in a plan.
func (run *run) show(ctx context.Context, h *hidden, path string) (*tfjson.Plan, error) {
	var text bytes.Buffer
	said := &plain{run: run}
	out := func(line []byte, _ bool) { text.Write(line) }
	code, err := run.program(ctx, out, said.err, h.files, "show", "-json", "-no-color", path)
	if err != nil {
		return nil, run.wrap(ctx, err, "%s can't be started", run.binary)
	}
	if code != 0 {
		return nil, fault.New(fault.Retry, fault.ExecutorFailed, "the plan of %s can't be shown: %s", run.request.Step, run.request.Mask(said.message()))
	}
	found := &tfjson.Plan{}
	found.UseJSONNumber(true)
	if err := found.UnmarshalJSON(text.Bytes()); err != nil {
		return nil, fault.Wrap(errors.New("not a plan of a form that is known"), fault.GiveUp, fault.ExecutorFailed,
			"the plan of %s is of a version that is not understood; use another version of OpenTofu or Terraform", run.request.Step)
	}
	return found, nil
}
