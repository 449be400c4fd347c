package orchestrator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// operations of the environment "one", the newest first.
func (r *rig) operations() []environment.OperationRecord {
	r.Helper()
	ops, _, err := r.store.Operations(r.Context(), "one", store.Page{})
	require.NoError(r, err)
	return ops
}

func TestADestructionOfLongAgoIsRefusedAndOneThatIsDueBeginsOnce(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	c := r.clocked()
	r.start()
	r.runner("default")
	past, soon := time.Now().Add(-time.Hour), time.Now().Add(2*time.Hour)
	r.refused(fault.Invalid, event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}, DestroyAt: &past})
	r.refused(fault.Invalid, event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}, Lifetime: "-1h"})
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}, DestroyAt: &soon}).Accepted)
	r.await("one", environment.Deployed)
	r.refused(fault.Invalid, event.EnvironmentSchedule, "one", event.Schedule{DestroyAt: &past})
	r.refused(fault.Invalid, event.EnvironmentSchedule, "one", event.Schedule{Extend: "-3h"})
	r.refused(fault.Invalid, event.EnvironmentUpdate, "one", event.Update{DestroyAt: &past})
	record := r.await("one", environment.Deployed)
	require.WithinDuration(t, soon, *record.DestroyAt, 0)

	c.set(3 * time.Hour)
	r.await("one", environment.Destroyed)
	c.set(0) // it was destroyed before its time, then: that is over as well
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}}).Accepted)
	record = r.await("one", environment.Deployed)
	require.Nil(t, record.DestroyAt)
	c.set(3 * time.Hour)
	require.Empty(t, r.steps("one", r.update("one", event.Update{})), "a turn at that time has destroyed nothing")
	require.Len(t, r.operations(), 4, "create, destroy, create, update")
}

func TestAPlanIsCarriedOutOnceByWhoeverIsFirst(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	c := r.clocked()
	r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}}).Accepted)
	r.await("one", environment.Deployed)
	plan := func(name string) string {
		p := r.command(event.EnvironmentPlan, "one", event.Proposal{Parameters: params("name", name)})
		require.True(t, p.Accepted, "%v", p.Error)
		r.over("one", p.Operation)
		r.await("one", environment.Deployed)
		return p.Operation
	}
	apply := event.ApplyPlan{Plan: plan(`"bern"`)}
	first, second := r.send("anna", event.EnvironmentApply, "one", apply), r.send("max", event.EnvironmentApply, "one", apply)
	taken := r.answer(first)
	require.True(t, taken.Accepted, "%v", taken.Error)
	refused := r.answer(second)
	require.False(t, refused.Accepted)
	require.Contains(t, []fault.Code{fault.Busy, fault.Conflict}, refused.Error.Code)
	r.over("one", taken.Operation)
	r.refused(fault.Conflict, event.EnvironmentApply, "one", apply)
	require.Len(t, r.operations(), 3)

	apply.Plan = plan(`"rome"`)
	c.set(25 * time.Hour)
	late := r.command(event.EnvironmentApply, "one", apply)
	require.False(t, late.Accepted)
	require.Contains(t, []fault.Code{fault.Expired, fault.Conflict}, late.Error.Code, "its time is up, which may have been said already")
	c.set(0)
	r.named(`"bern"`)
}

func TestALookWaitsForNoUpdateAndAnUpdateForALook(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	r.start()
	stop := r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}}).Accepted)
	r.await("one", environment.Deployed)
	stop() // what begins now stays under way

	require.True(t, r.command(event.EnvironmentUpdate, "one", event.Update{Parameters: params("name", `"bern"`)}).Accepted)
	require.Contains(t, r.refused(fault.Busy, event.EnvironmentCheck, "one", event.Check{}), "wait for it")
	stop = r.runner("default")
	r.await("one", environment.Deployed)
	stop()

	check := r.command(event.EnvironmentCheck, "one", event.Check{})
	require.True(t, check.Accepted, "%v", check.Error)
	r.refused(fault.Busy, event.EnvironmentUpdate, "one", event.Update{Parameters: params("name", `"rome"`)})
	require.True(t, r.command(event.EnvironmentUpdate, "one", event.Update{Parameters: params("name", `"rome"`), WhenBusy: event.QueueWhenBusy}).Queued)
	r.named(`"bern"`)
	r.runner("default")
	require.Equal(t, environment.OperationSucceeded, r.over("one", "op-4").Status)
	r.named(`"rome"`)
	ops := r.operations()
	require.Equal(t, check.Operation, ops[1].ID)
	require.NotNil(t, ops[1].FinishedAt)
	require.False(t, ops[0].StartedAt.Before(*ops[1].FinishedAt), "never mixed")
}
