package orchestrator

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// foreseeing is an executor of the kind noop that saves what it has planned for, and notes what it is given back.
type foreseeing struct {
	*noop.Executor
	mu    *sync.Mutex
	given map[string]string // by step
}

func (f foreseeing) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	plan, err := f.Executor.Plan(ctx, r, verb)
	if len(r.Unknown) == 0 {
		plan.Saved = []byte("plan of " + r.Operation + " for " + string(r.Inputs))
	}
	return plan, err
}

func (f foreseeing) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	f.mu.Lock()
	f.given[r.Step] = string(r.Plan)
	f.mu.Unlock()
	return f.Executor.Apply(ctx, r)
}

func (f foreseeing) of(step string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.given[step]
}

// over waits until an operation has finished.
func (r *rig) over(name, operation string) environment.OperationRecord {
	r.Helper()
	var found environment.OperationRecord
	require.Eventually(r, func() bool {
		ops, _, err := r.store.Operations(r.Context(), name, store.Page{})
		if err == nil && len(ops) > 0 {
			found = ops[0]
		}
		return found.ID == operation && found.FinishedAt != nil
	}, patience, 5*time.Millisecond)
	return found
}

func TestASavedPlanComesBackToItsExecutor(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	x, stop := r.start()
	f := foreseeing{Executor: noop.New(), mu: &sync.Mutex{}, given: map[string]string{}}
	r.runnerWith(f, "far", "default", r.bus)
	planned := r.command(event.EnvironmentPlan, "one", event.Proposal{Templates: []string{"city"}, Parameters: params("zones", `["a"]`)})
	require.True(t, planned.Accepted, "%v", planned.Error)
	require.NotNil(t, r.planned("one", planned.Operation).Until)
	r.await("one", environment.Planned)
	stop() // what is kept outlives the server
	_, stop = r.start()
	defer stop()
	require.NotNil(t, x)

	answer := r.command(event.EnvironmentApply, "one", event.ApplyPlan{Plan: planned.Operation, Tags: []string{"a:b"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	record := r.await("one", environment.Deployed)
	require.Equal(t, []string{"a:b"}, record.Tags)
	require.Equal(t, []string{"zones"}, record.Given)
	require.Contains(t, f.of("city.noop.base"), "plan of "+planned.Operation+" for ", "as it was shown, although all that was kept under the name went with the create")
	require.Contains(t, f.of("city.noop.top"), "plan of "+answer.Operation+" for ", "asked again when base had its outputs")
	require.Len(t, r.addresses("one"), 4)

	again := r.command(event.EnvironmentApply, "one", event.ApplyPlan{Plan: planned.Operation})
	require.Equal(t, fault.Conflict, again.Error.Code)
	require.Equal(t, fault.NotFound, r.command(event.EnvironmentApply, "two", event.ApplyPlan{Plan: planned.Operation}).Error.Code, "the plan of another environment")
	require.Equal(t, fault.Invalid, r.command(event.EnvironmentApply, "one", event.ApplyPlan{}).Error.Code)
	for _, place := range []string{"plan/" + planned.Operation + "/city.noop.base", "plan/" + answer.Operation + "/city.noop.top"} {
		_, err := r.store.State(t.Context(), "one", place)
		require.Error(t, err, "nobody needs %s any more", place)
	}

	planned = r.command(event.EnvironmentPlan, "one", event.Proposal{Parameters: params("name", `"bern"`)})
	r.planned("one", planned.Operation)
	r.await("one", environment.Deployed)
	answer = r.command(event.EnvironmentApply, "one", event.ApplyPlan{Plan: planned.Operation})
	require.True(t, answer.Accepted, "%v", answer.Error)
	r.over("one", answer.Operation)
	require.Contains(t, f.of("city.noop.base"), `plan of `+planned.Operation+` for {"inputs":{"name":"bern"}}`)

	planned = r.command(event.EnvironmentPlan, "one", event.Proposal{Destroy: true})
	r.planned("one", planned.Operation)
	r.await("one", environment.Deployed)
	require.True(t, r.command(event.EnvironmentApply, "one", event.ApplyPlan{Plan: planned.Operation}).Accepted)
	r.await("one", environment.Destroyed)
	r.everyEntryIsPublishedInOrder("one")
}
