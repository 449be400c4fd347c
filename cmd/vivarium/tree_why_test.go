package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// waitingTree has a step that runs, one that waits for it, and one that is queued.
func waitingTree(t *testing.T) (*tree, []environment.ResourceRecord) {
	t.Helper()
	network := resource("notes.terraform.network", "", environment.StateRunning)
	network.Step.Progress = &event.Progress{Message: "creating", Done: 3, Total: 10}
	database := resource("notes.terraform.database", "", environment.StateBlocked)
	database.DependsOn = []string{"notes.terraform.network"}
	database.Step.Reason = &environment.Reason{Code: environment.BecauseDependency, Detail: "waits for notes.terraform.network"}
	until := noon.Add(time.Minute)
	queue := resource("notes.terraform.queue", "", environment.StateQueued)
	queue.Executor, queue.Pool = "terraform", "eu"
	queue.Step.Reason = &environment.Reason{Code: environment.BecauseBackoff, Detail: "attempt 1 came to nothing", Until: &until}
	all := []environment.ResourceRecord{network, database, queue}
	tr := newTree("notes")
	tr.load(environment.Record{Name: "notes", Status: environment.Deploying, Operation: "op-1"}, all)
	tr.begin(environment.OperationRecord{ID: "op-1", StartedAt: noon})
	return tr, all
}

func (t *tree) take(tt *testing.T, bodies ...environment.Body) string {
	tt.Helper()
	for _, body := range bodies {
		_, err := t.apply(entry(tt, noon, body))
		require.NoError(tt, err)
	}
	return trimmed(t.render(view{now: noon, width: 120}))
}

func TestTreeSaysWhatWaitsAndWhy(t *testing.T) {
	tr, _ := waitingTree(t)
	const stepA, stepB, stepC = "notes.terraform.network", "notes.terraform.database", "notes.terraform.queue"
	text := tr.take(t)
	require.Contains(t, text, "3 of 10: creating")
	require.Contains(t, text, "waits for terraform.network")
	require.Contains(t, text, "attempt 1 came to nothing")
	require.Contains(t, tr.take(t, environment.StepProgress{Step: stepA, Progress: event.Progress{Done: 4, Total: 10}}), "4 of 10\n")

	text = tr.take(t, environment.Paused{Operation: "op-1", Reason: "maintenance"})
	require.Contains(t, text, "notes  deploying  paused  0 of 3 steps")
	require.Regexp(t, `terraform.queue +paused`, text)
	text = tr.take(t, environment.StepComplete{Step: stepA, Attempt: 1, StartedAt: noon, FinishedAt: noon})
	require.Regexp(t, `terraform.database +paused`, text, "it waits for nothing else any more")
	text = tr.take(t, environment.Resumed{Operation: "op-1"})
	require.NotContains(t, text, "paused")
	require.NotContains(t, text, "came to nothing")

	held := environment.Held{Operation: "op-1", Pool: "eu", Executor: "terraform", Reason: &environment.Reason{Code: environment.BecauseNoRunner, Detail: "nobody there"}}
	text = tr.take(t, held)
	require.Equal(t, 1, strings.Count(text, "nobody there"), "only steps of that pool")
	held.Reason = nil
	require.NotContains(t, tr.take(t, held), "nobody there")
	require.Contains(t, tr.take(t, environment.StepQueued{Step: stepC, Cause: environment.CauseUnavailable}), "does not answer")
	_, err := tr.apply(entry(t, noon, environment.StatusRetrying{Operation: "op-2"}))
	require.NoError(t, err)
	require.True(t, tr.stale)
	require.Equal(t, "op-2", tr.current)
	require.Contains(t, tr.leaves, stepB)
}

func TestDestroyWaitsForWhatStandsOnIt(t *testing.T) {
	base, top := resource("notes.terraform.base", "", environment.StateBlocked), resource("notes.terraform.top", "", environment.StateRunning)
	base.Step.Verb, top.Step.Verb = event.Destruct, event.Destruct
	top.DependsOn = []string{"notes.terraform.base"}
	tr := newTree("notes")
	tr.load(environment.Record{Name: "notes"}, []environment.ResourceRecord{base, top})
	require.Contains(t, tr.take(t), "waits until these are gone: terraform.top")
}

func TestPrinterTellsOfPausesAndHolds(t *testing.T) {
	var out bytes.Buffer
	p := &printer{w: &out, status: environment.Deploying}
	tr, _ := waitingTree(t)
	for _, body := range []environment.Body{
		environment.Paused{Reason: "maintenance"}, environment.Resumed{},
		environment.Held{Pool: "eu", Executor: "terraform", Reason: &environment.Reason{Detail: "no runner\x1b[2J"}},
		environment.StepProgress{Step: "notes.terraform.network", Progress: event.Progress{Done: 5}},
	} {
		l, err := tr.apply(entry(t, noon, body))
		require.NoError(t, err)
		p.changed(tr, l, noon)
	}
	require.Equal(t, "    0.0s  paused     maintenance\n    0.0s  resumed\n    0.0s  held       no runner[2J\n", out.String())
}

func TestShowSaysWhyAndWhatToDo(t *testing.T) {
	f := newFake(nil)
	_, all := waitingTree(t)
	failed := resource("notes.action.migrate", "", environment.StateSkipped)
	failed.Step.Reason = &environment.Reason{Code: environment.BecauseDependencyFailed, Detail: "notes.terraform.dns failed"}
	all = append(all, failed)
	require.NoError(t, f.show(f.out, environment.Record{Name: "notes", Status: environment.Deploying}, all, nil))
	text := f.stdout.String()
	for _, want := range []string{
		"dependency: waits for terraform.network", "it begins by itself once they are done", "backoff: attempt 1 came to nothing (until ",
		"it is tried again by itself", "dependency-failed: terraform.dns failed", "vivarium env retry notes", "3 of 10: creating",
	} {
		require.Contains(t, text, want)
	}
	_, waiting, _ := strings.Cut(text, "\nWaiting")
	require.NotContains(t, waiting, "\n  terraform.network\n", "it runs")
}

func TestEveryReasonHasAdvice(t *testing.T) {
	for _, code := range []environment.ReasonCode{
		environment.BecauseDependency, environment.BecauseDependencyFailed, environment.BecauseEnvironmentLimit, environment.BecausePoolLimit,
		environment.BecauseNoRunner, environment.BecauseBreaker, environment.BecauseBackoff, environment.BecausePaused,
		environment.BecauseOffered, environment.BecauseLost, environment.BecauseCancelled,
	} {
		require.NotEmpty(t, advice(code, "notes", "eu"), code)
	}
	require.Contains(t, advice(environment.BecauseNoRunner, "notes", "eu"), "--pool eu")
}

func TestStepsThatShareAReasonAreNamedTogether(t *testing.T) {
	var all []environment.ResourceRecord
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		r := resource("notes.noop."+name, "", environment.StateQueued)
		r.Step.Reason = &environment.Reason{Code: environment.BecausePaused, Detail: "paused"}
		all = append(all, r)
	}
	tr := newTree("notes")
	tr.load(environment.Record{Name: "notes"}, all)
	list := waitingOf(tr, all)
	require.Len(t, list, 1)
	require.Equal(t, "noop.a, noop.b, noop.c and 2 more", severalOf(list[0].steps))
}
