package runner

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// revealing are differences that an executor should not have told.
func revealing(count int) []event.Difference {
	all := []event.Difference{{Path: "hunter2", Change: event.ChangeUpdate, Before: "it is hunter2", After: "77", Until: []string{"hunter2"}}}
	for i := range count {
		all = append(all, event.Difference{Path: fmt.Sprint("k", i), Change: event.ChangeCreate, After: strings.Repeat("x", 3000)})
	}
	return all
}

func TestAPlanIsAskedForAndMasked(t *testing.T) {
	box := newBox(t)
	var got executor.Request
	var verb event.Verb
	x := funcs{plan: func(r executor.Request, v event.Verb) (executor.Plan, error) {
		got, verb = r, v
		return executor.Plan{Saved: []byte("hunter2"), Plan: event.Plan{Change: event.ChangeUpdate, Until: []string{"a.b"},
			Differences: revealing(mostDifferences + 6)}}, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		inputs := encode(map[string]json.RawMessage{"p": box.Seal(json.RawMessage(`"hunter2"`)), "q": box.Seal(json.RawMessage(`"77"`)), "n": nil})
		g.offer(task(func(t *event.Task) {
			t.Verb, t.Proposes, t.Inputs, t.Unknown = event.Propose, event.Destruct, inputs, map[string][]string{"n": {"a.b"}}
		}))
		r := g.result()
		require.Nil(t, r.Error)
		require.Equal(t, event.Destruct, verb)
		require.JSONEq(t, `{"p":"hunter2","q":"77","n":null}`, string(got.Inputs))
		require.Equal(t, map[string][]string{"n": {"a.b"}}, got.Unknown)
		require.Nil(t, got.SaveState)
		require.Nil(t, r.Observation)
		require.Equal(t, event.ChangeUpdate, r.Plan.Change)
		require.Equal(t, []string{"a.b"}, r.Plan.Until)
		require.Len(t, r.Plan.Differences, mostDifferences)
		require.Equal(t, 7, r.Plan.Omitted)
		require.Equal(t, event.Difference{Path: "(sensitive)", Change: event.ChangeUpdate, Before: "it is (sensitive)", After: "(sensitive)", Until: []string{"(sensitive)"}},
			r.Plan.Differences[0])
		require.Len(t, r.Plan.Differences[1].After, valueBytes+len("..."))
	}, func(o *Options) { o.Box = box })
}

func TestAnObservationIsAskedForAndMasked(t *testing.T) {
	box := newBox(t)
	var got executor.Request
	x := funcs{look: func(r executor.Request) (event.Observation, error) {
		got = r
		return event.Observation{Presence: event.Present, Drifted: true, Differences: revealing(0)}, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task(func(t *event.Task) {
			t.Verb = event.Observe
			t.Inputs, t.Outputs = box.Seal(json.RawMessage(`["hunter2","77"]`)), json.RawMessage(`{"o":1}`)
		}))
		r := g.result()
		require.Nil(t, r.Error)
		require.Nil(t, r.Plan)
		require.JSONEq(t, `{"o":1}`, string(got.Outputs))
		require.Nil(t, got.SaveState)
		require.Equal(t, event.Observation{Presence: event.Present, Drifted: true, Differences: []event.Difference{
			{Path: "(sensitive)", Change: event.ChangeUpdate, Before: "it is (sensitive)", After: "(sensitive)", Until: []string{"(sensitive)"}}}}, *r.Observation)
	}, func(o *Options) { o.Box = box })
}

func TestLooksThatComeToNothing(t *testing.T) {
	x := funcs{
		plan: func(executor.Request, event.Verb) (executor.Plan, error) { panic("oh no") },
		look: func(executor.Request) (event.Observation, error) {
			return event.Observation{}, fault.New(fault.Wait, fault.Unavailable, "away")
		},
	}
	for code, change := range map[fault.Code]func(*event.Task){
		fault.Internal:    func(t *event.Task) { t.Verb, t.Proposes = event.Propose, event.Apply },
		fault.Invalid:     func(t *event.Task) { t.Verb = event.Propose },
		fault.Unavailable: func(t *event.Task) { t.Verb = event.Observe },
	} {
		inBubble(t, x, func(t *testing.T, g *rig) {
			g.offer(task(change))
			r := g.result()
			require.Equal(t, code, r.Error.Code)
			require.Nil(t, r.Plan)
			require.Nil(t, r.Observation)
		})
	}
}

func TestABreakerHoldsLooksBackToo(t *testing.T) {
	away := fault.New(fault.Wait, fault.Unavailable, "away")
	x := aimed{funcs: funcs{name: "x", look: func(executor.Request) (event.Observation, error) { return event.Observation{}, away }},
		target: func(executor.Request) string { return "vault" }}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		for range 20 {
			g.offer(task(func(t *event.Task) { t.Verb = event.Observe }))
		}
		all := g.results()
		require.Equal(t, fault.BreakerOpen, all[len(all)-1].Error.Code)
	}, func(o *Options) { o.Executors = []executor.Executor{x} })
}
