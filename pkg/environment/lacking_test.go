package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestWhatWaitsForAKindFailsOnlyWhenItsTimeIsUp(t *testing.T) {
	patient, hasty := node("a"), node("b")
	hasty.Expiry = time.Minute
	st := newStage(t, patient, hasty)
	st.pool = func(string, string) Pool { return Pool{} }
	st.create("1", event.Create{}, patient, hasty)
	require.Equal(t, BecauseNoRunner, st.s.reason(st.s.Step("a")).Code)

	st.pool = nil
	around := Surroundings{Resolver: kindless{}, Lacks: func() *Reason { return &Reason{Code: BecauseNoExecutor, Detail: "the kind is gone"} }}
	tick := func() { st.d.Decide(st.s, around, TickInput{}, st.now) }
	tick()
	require.Equal(t, &Reason{Code: BecauseNoExecutor, Detail: "the kind is gone"}, st.s.reason(st.s.Step("a")))
	st.now = st.now.Add(2 * time.Minute)
	tick()
	require.Equal(t, fault.Expired, st.s.Step("b").Error.Code)
	require.Equal(t, StateQueued, st.s.Step("a").State)
	types, _ := st.decide(TickInput{})
	require.Equal(t, []string{"step.waiting a", "operation.held"}, types, "it goes on by itself")
}

func TestARunnerWithoutTheExecutorIsToldFromNone(t *testing.T) {
	st := newStage(t, node("a"))
	st.pool = func(_, executor string) Pool {
		if executor == "" {
			return Pool{Runners: 2}
		}
		return Pool{}
	}
	st.create("1", event.Create{}, node("a"))
	require.Contains(t, st.s.reason(st.s.Step("a")).Detail, `none of the 2 runners of pool "default" has the executor "x"`)
}
