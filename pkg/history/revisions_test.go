package history_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
)

func values(pairs ...string) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return all
}

// An older journal tells neither what changed nor, at first, what was given.
func TestRevisionsOfAnOlderJournal(t *testing.T) {
	st := newStage(t)
	nodes := []environment.Node{node("a")}
	const one, two = `{"$sealed":"v1:aaaa"}`, `{"$sealed":"v1:bbbb"}`
	st.decide(environment.CreateInput{CommandMeta: st.meta("1"), Resolved: environment.Resolved{Nodes: nodes,
		Parameters: values("size", "1", "token", one)}})
	st.finish("a", fault.New(fault.GiveUp, fault.ExecutorFailed, "broken"))
	list, err := history.Revisions(t.Context(), st.store, "notes")
	require.NoError(t, err)
	require.Equal(t, environment.OperationFailed, list[0].Outcome)
	require.NotNil(t, list[0].Error)
	require.Equal(t, values("size", "1", "token", one), list[0].Parameters, "all may have been given")

	st.decide(environment.RetryInput{CommandMeta: st.meta("2")})
	st.finish("a", nil)
	st.decide(environment.UpdateInput{CommandMeta: st.meta("3"), Resolved: environment.Resolved{Nodes: nodes,
		Parameters: values("size", "2", "token", two, "more", "true"), Given: []string{"size"}}})
	st.finish("a", nil)
	list, err = history.Revisions(t.Context(), st.store, "notes")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, environment.OperationSucceeded, list[0].Outcome, "a retry is part of what it retries")
	require.Nil(t, list[0].Error)
	require.Equal(t, environment.OperationSucceeded, list[1].Outcome)
	require.Equal(t, values("size", "2"), list[1].Parameters)
	require.Equal(t, []environment.ParameterChange{{Name: "more", After: json.RawMessage("true")},
		{Name: "size", Before: json.RawMessage("1"), After: json.RawMessage("2")}}, list[1].Changed, "of secrets it can't be told")

	st.decide(environment.DestroyInput{CommandMeta: st.meta("4")})
	st.finish("a", nil)
	list, err = history.Revisions(t.Context(), st.store, "notes")
	require.NoError(t, err)
	require.Len(t, list, 2, "what was is known")
	st.decide(environment.CreateInput{CommandMeta: st.meta("5"), Resolved: environment.Resolved{Nodes: nodes}})
	list, err = history.Revisions(t.Context(), st.store, "notes")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "op-5", list[0].Operation)
	require.Equal(t, "/teams/notes", list[0].RequestedBy)
	none, err := history.Revisions(t.Context(), st.store, "none")
	require.NoError(t, err)
	require.Empty(t, none)
}
