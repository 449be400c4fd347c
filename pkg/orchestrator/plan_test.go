package orchestrator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func (r *rig) planned(name, operation string) environment.PlanRecord {
	r.Helper()
	var found *environment.PlanRecord
	require.Eventually(r, func() bool {
		ops, _, err := r.store.Operations(r.Context(), name, store.Page{})
		if err == nil && ops[0].ID == operation {
			found = ops[0].Plan
		}
		return found != nil
	}, patience, 5*time.Millisecond)
	return *found
}

func TestAPlanGoesOnWithAnotherServer(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	_, stop := r.start()
	answer := r.command(event.EnvironmentPlan, "one", event.Proposal{Templates: []string{"city"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	r.await("one", environment.Planning)
	stop()
	r.start()
	r.runner("default")
	plan := r.planned("one", answer.Operation)
	require.Equal(t, map[event.Change]int{event.ChangeNone: 0, event.ChangeCreate: 5}, plan.Counts)
	require.Equal(t, "city.noop.base", plan.Steps[0].Address, "in the order of the graph")
	r.await("one", environment.Planned)
	require.Empty(t, r.addresses("one"))

	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}}).Accepted)
	r.await("one", environment.Deployed)
	answer = r.command(event.EnvironmentPlan, "one", event.Proposal{Parameters: params("name", `"bern"`, "zones", `["b"]`)})
	require.True(t, answer.Accepted, "%v", answer.Error)
	plan = r.planned("one", answer.Operation)
	require.Equal(t, map[event.Change]int{event.ChangeNone: 2 + 1, event.ChangeUpdate: 1, event.ChangeUnknown: 1}, plan.Counts,
		"base gets another name, which top waits for; zone b and aside get what they had; a noop has nothing to destroy")
	require.Len(t, r.addresses("one"), 5)
	r.everyEntryIsPublishedInOrder("one")
	require.False(t, r.command(event.EnvironmentPlan, "none", event.Proposal{Destroy: true}).Accepted)
}
