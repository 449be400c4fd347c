package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func told(t *testing.T, to *teller, body environment.Body) string {
	t.Helper()
	data, err := json.Marshal(environment.Public(body))
	require.NoError(t, err)
	return to.words(store.Entry{Type: body.Type(), Data: data})
}

func TestEveryFactHasWords(t *testing.T) {
	for _, body := range environment.Bodies() {
		require.NotEmpty(t, told(t, newTeller(), body), body.Type())
	}
}

func TestWordsSayWhoAndWhy(t *testing.T) {
	at := time.Date(2027, 1, 31, 18, 0, 0, 0, time.Local)
	nobody := fault.New(fault.Reject, fault.Invalid, "there is no such thing")
	for want, body := range map[string]environment.Body{
		"created from notes@1.2.0, 2 steps, asked for by /ci; destroyed by itself at 2027-01-31 18:00:00": environment.Created{RequestedBy: "/ci",
			Templates: []environment.Template{{Name: "notes", Version: "1.2.0"}}, Nodes: make([]environment.Node, 2), DestroyAt: &at},
		"updated, to notes@1.3.0, a: 1 -> 2, asked for by /ci, as planned by op-2": environment.Updated{RequestedBy: "/ci", Plan: "op-2",
			Templates: []environment.Template{{Name: "notes", Version: "1.3.0"}}, Nodes: make([]environment.Node, 2),
			Changed: []environment.ParameterChange{{Name: "a", Before: json.RawMessage("1"), After: json.RawMessage("2")}}},
		"environment.update was refused, asked for by /ci: there is no such thing": environment.CommandRejected{Command: event.EnvironmentUpdate, RequestedBy: "/ci", Error: nobody},
		"a destroy is planned first, since it may have to be approved, by itself: its time had come": environment.StatusPlanning{Destroy: true,
			Order: &environment.Order{Planned: true}, Steps: make([]environment.Proposed, 3)},
		"an update, or a create, that tries app again, is planned first, since it may have to be approved, asked for by /ci": environment.StatusPlanning{RequestedBy: "/ci",
			Order: &environment.Order{Retry: &event.Retry{Groups: []string{"app"}}}, Part: []string{"a.b"}},
		"a destroy of app is planned first, since it may have to be approved, asked for by /ci": environment.StatusPlanning{RequestedBy: "/ci", Destroy: true,
			Order: &environment.Order{Destroy: &event.Destroy{Groups: []string{"app"}}}},
		"group app: destroyed, step by step, by force, which does not wait for what is paused (app), asked for by /ci": environment.StatusDestroying{RequestedBy: "/ci",
			Groups: []string{"app"}, Force: true, Resumes: []string{"app"}},
		"locked, asked for by /ci: the audit": environment.Locked{RequestedBy: "/ci", Reason: "the audit"},
		"a.b is gone, no more k = v (seen without anybody asking)": environment.ResourceObserved{Step: "a.b", Presence: event.Absent, Unasked: true,
			Differences: []event.Difference{{Path: "k", Change: event.ChangeDestroy, Before: "v"}}},
		"the update has failed: 2 complete, 1 error": environment.Finished{Kind: environment.UpdateOperation, Status: environment.OperationFailed,
			Steps: map[environment.StepState]int{environment.StateComplete: 2, environment.StateError: 1}},
	} {
		require.Equal(t, want, told(t, newTeller(), body))
	}
}

// What was done is known from the offer before; without it, as behind --after, it is said that something was.
func TestWordsRememberTheVerb(t *testing.T) {
	to := newTeller()
	require.Equal(t, "a.b: done", told(t, to, environment.StepComplete{Step: "a.b"}))
	require.Equal(t, "a.b: to be destroyed (attempt 2)", told(t, to, environment.StepWaiting{Step: "a.b", Verb: event.Destruct, Attempt: 2}))
	require.Equal(t, "a.b: destroyed, and found gone", told(t, to, environment.StepComplete{Step: "a.b"}))
	require.Equal(t, "c.d", to.words(store.Entry{Type: "step.of-the-future", Data: json.RawMessage(`{"step":"c.d"}`)}))
}
