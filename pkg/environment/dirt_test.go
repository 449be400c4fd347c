package environment

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// shown is what a store holds of an environment after some changes.
type shown struct {
	Environment Record
	Resources   map[string]ResourceRecord
	Operations  map[string]OperationRecord
}

func (v *shown) take(c Changes) {
	if len(c.Created) > 0 || v.Resources == nil {
		v.Resources = map[string]ResourceRecord{}
	}
	if v.Operations == nil {
		v.Operations = map[string]OperationRecord{}
	}
	for _, r := range c.Environments {
		v.Environment = r
	}
	for _, r := range c.Resources {
		v.Resources[r.Address] = r
	}
	for _, r := range c.Removed {
		delete(v.Resources, r.Address)
	}
	for _, o := range c.Operations {
		v.Operations[o.ID] = o
	}
}

// sameHowever: the projection of a journal does not depend on where it was cut into batches.
func sameHowever(t *rapid.T, name string, facts []Fact) {
	var single, cut shown
	one, many := NewState(name), NewState(name)
	var revisions []uint64
	for i, f := range facts {
		seq := uint64(10 * i) //nolint:gosec // an index
		require.NoError(t, Evolve(one, f))
		single.take(one.Changes(3, seq))
		require.NoError(t, Evolve(many, f))
		revisions = append(revisions, seq)
		if i == len(facts)-1 || rapid.IntRange(0, 12).Draw(t, "cut") == 0 {
			cut.take(many.Changes(3, revisions...))
			revisions = nil
		}
		if len(revisions) == 0 {
			same(t, i, f, single, cut)
		}
	}
}

func same(t *rapid.T, i int, f Fact, a, b shown) {
	want, err := json.Marshal(a)
	require.NoError(t, err)
	got, err := json.Marshal(b)
	require.NoError(t, err)
	if string(want) != string(got) {
		require.JSONEq(t, string(want), string(got), "after fact %d, %s", i, f.Body.Type())
	}
}

// TestOperationThatEndsWhereTheNextBegins: what a batch holds of an operation is shown, though another one follows in it.
func TestOperationThatEndsWhereTheNextBegins(t *testing.T) {
	st := newStage(t, node("a"))
	st.create("1", event.Create{}, node("a"))
	st.s.Changes(0, 1)
	st.finish("a", nil)
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}})
	c := st.s.Changes(0, 2, 3, 4, 5, 6, 7, 8)
	require.Len(t, c.Operations, 2)
	require.Equal(t, OperationSucceeded, c.Operations[0].Status)
	require.Equal(t, OperationRunning, c.Operations[1].Status)
	require.Less(t, c.Operations[0].Revision, c.Operations[1].Revision)
}

// TestReasonOfASecondStop: the simulation found that steps skipped by the first stop showed its reason or the second one's,
// depending on what was written in between.
func TestReasonOfASecondStop(t *testing.T) {
	st := newStage(t, node("a"), node("b"), node("c", "b"))
	st.create("1", event.Create{FailFast: true}, node("a"), node("b"), node("c", "b"))
	st.finish("a", broken)
	require.Contains(t, st.s.Changes(0, 9).Operations[0].Status, OperationCancelling)
	st.decide(CancelInput{CommandMeta: CommandMeta{CommandID: "2"}})
	c := st.s.Changes(0, 10)
	require.Len(t, c.Resources, 1)
	require.Equal(t, "c", c.Resources[0].Address)
	require.Equal(t, st.s.Operation.Reason, c.Resources[0].Step.Reason.Detail)
}
