package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestAnEnvironmentSaysWhatItWaitsFor(t *testing.T) {
	f := start(t, nil)
	detail := read[wire.EnvironmentDetail](f, "/environments/notes")
	require.Equal(t, "notes", detail.Name)
	require.Equal(t, []wire.Waiting{
		{Code: environment.BecauseDependency, Detail: "waits for notes.terraform.a, notes.terraform.b, notes.terraform.c", Steps: 3},
		{Code: environment.BecauseOffered, Detail: `offered to the runners of pool "default"`, Steps: 1},
		{Code: environment.BecauseEnvironmentLimit, Detail: "as many steps as this environment may have at once are under way: 2; it begins when one of them ends", Steps: 1},
	}, detail.Waiting)
	_, body := f.get("/environments/old-0")
	require.Contains(t, string(body), `"waiting":[]`, "nothing is under way there")
}

// step of an environment for the summary.
func stepOf(address string, verb event.Verb, state environment.StepState, reason *environment.Reason, on ...string) environment.ResourceRecord {
	return environment.ResourceRecord{
		Node: environment.Node{Address: address, DependsOn: on},
		Step: environment.StepRecord{Operation: "op", Verb: verb, State: state, Attempt: 2, Reason: reason},
	}
}

func TestReasonsAreSummedUp(t *testing.T) {
	soon, later := began, began.Add(time.Hour)
	backoff := func(until time.Time) *environment.Reason {
		return &environment.Reason{Code: environment.BecauseBackoff, Until: &until}
	}
	all := []environment.ResourceRecord{
		stepOf("a", event.Apply, environment.StateQueued, backoff(later)),
		stepOf("b", event.Apply, environment.StateQueued, backoff(soon)),
		stepOf("c", event.Apply, environment.StateQueued, &environment.Reason{Code: environment.BecauseNoRunner, Detail: "start one"}),
		stepOf("d", event.Apply, environment.StateSkipped, &environment.Reason{Code: environment.BecauseCancelled}),
		stepOf("e", event.Apply, environment.StateRunning, nil),
	}
	require.Equal(t, []wire.Waiting{
		{Code: environment.BecauseBackoff, Detail: "attempt 2 came to nothing; there will be another one", Until: &soon, Steps: 2},
		{Code: environment.BecauseNoRunner, Detail: "start one", Steps: 1},
	}, newExplainer(all).summary(all))
	require.Empty(t, newExplainer(all).summary(all[3:]))

	var many []environment.ResourceRecord
	for i := range 3 * mostReasons {
		many = append(many, stepOf(fmt.Sprint(i), event.Apply, environment.StateQueued, &environment.Reason{Code: environment.BecausePoolLimit, Detail: fmt.Sprint(i)}))
	}
	require.Len(t, newExplainer(many).summary(many), mostReasons)
}

func TestEveryStepThatWaitsHasAReason(t *testing.T) {
	for _, state := range []environment.StepState{environment.StateBlocked, environment.StateQueued, environment.StateWaiting} {
		all := []environment.ResourceRecord{stepOf("a", event.Apply, state, nil)}
		got := newExplainer(all).explain(&all[0])
		require.NotEmpty(t, got.Reason.Code, state)
		require.NotEmpty(t, got.Reason.Detail, state)
	}
	held := &environment.Reason{Code: environment.BecauseAuthority, Detail: "nobody hears this side"}
	for state, code := range map[environment.StepState]environment.ReasonCode{environment.StateBlocked: environment.BecauseDependency,
		environment.StateQueued: held.Code, environment.StateWaiting: held.Code} {
		all := []environment.ResourceRecord{stepOf("a", event.Apply, state, &environment.Reason{Code: environment.BecauseDependency})}
		e := newExplainer(all)
		e.held = held
		require.Equal(t, code, e.explain(&all[0]).Reason.Code, state)
	}
	failed := stepOf("a", event.Apply, environment.StateQueued, &environment.Reason{Code: environment.BecauseBackoff})
	failed.Step.Error = fault.New(fault.Retry, fault.ExecutorFailed, "no space left")
	require.Contains(t, newExplainer([]environment.ResourceRecord{failed}).explain(&failed).Reason.Detail, "no space left")
}

// TestWhatTakesNoPartPassesTheOrderOn: a dependency that is deployed already is not waited for, but what it waits for
// may be.
func TestWhatTakesNoPartPassesTheOrderOn(t *testing.T) {
	all := []environment.ResourceRecord{
		stepOf("base", event.Apply, environment.StateRunning, nil),
		{Node: environment.Node{Address: "done", DependsOn: []string{"base"}}},
		stepOf("top", event.Apply, environment.StateBlocked, nil, "done"),
	}
	require.Equal(t, "waits for base", newExplainer(all).explain(&all[2]).Reason.Detail)
}
