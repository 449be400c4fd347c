package orchestrator

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// clock is the server's, which somebody sets.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time      { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) set(d time.Duration) { c.ahead.Store(int64(d)) }

// clocked has the orchestrators of a rig go by a clock.
func (r *rig) clocked() *clock {
	c := &clock{}
	r.options = func(o *Options) { o.Now = c.now }
	return c
}

// named is what the environment's parameter name is.
func (r *rig) named(want string) {
	r.Helper()
	record, err := r.store.Environment(r.Context(), "one")
	require.NoError(r, err)
	require.JSONEq(r, want, string(record.Parameters["name"]))
}

// ordered asks for an update that has to be approved, and waits until that is waited for.
func (r *rig) ordered(name string) event.Answer {
	r.Helper()
	answer := r.as("max", event.EnvironmentUpdate, "one", event.Update{Parameters: params("name", name)})
	require.True(r, answer.Accepted, "%v", answer.Error)
	r.await("one", environment.StatusAwaitingApproval)
	return answer
}

func TestApprovalsOverTheBus(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	c := r.clocked()
	_, stop := r.start()
	r.runner("default")
	rule := event.Approval{For: []string{"update"}, By: []string{"anna", "max"}, Expires: "1h"}
	require.True(t, r.as("max", event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}, Approval: &rule}).Accepted)
	r.await("one", environment.Deployed)
	approve := func(who string) event.Answer { return r.as(who, event.OperationApprove, "one", event.Judgement{}) }
	no := func(code fault.Code, a event.Answer) {
		t.Helper()
		require.False(t, a.Accepted)
		require.Equal(t, code, a.Error.Code, "%v", a.Error)
	}

	late := r.ordered(`"bern"`)
	no(fault.Forbidden, approve("tom"))
	no(fault.Forbidden, approve("max")) // who has asked for it
	no(fault.Busy, r.as("anna", event.EnvironmentUpdate, "one", event.Update{}))
	c.set(61 * time.Minute)
	require.Equal(t, fault.Expired, r.over("one", late.Operation).Error.Code)
	r.await("one", environment.Deployed)
	no(fault.Conflict, approve("anna"))
	c.set(0) // somebody corrects the clock: what was over stays so
	no(fault.Conflict, approve("anna"))
	r.named(`"ulm"`)

	c.set(2 * time.Hour)
	operation := r.ordered(`"rome"`)
	c.set(0) // it waits for longer by that, and does nothing
	stop()
	r.start()
	no(fault.Forbidden, approve("tom"))
	first, second := r.send("anna", event.OperationApprove, "one", event.Judgement{}), r.send("anna", event.OperationApprove, "one", event.Judgement{Operation: operation.Operation})
	require.True(t, r.answer(first).Accepted)
	no(fault.Conflict, r.answer(second))
	r.await("one", environment.Deployed)
	r.named(`"rome"`)
}
