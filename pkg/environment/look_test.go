package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func (st *stage) seen(address string, o event.Observation) []string {
	types, _ := st.decide(LookInput{Step: address, Operation: st.s.Operation.ID, Epoch: st.s.Epoch, Observation: o, At: st.now})
	return types
}

func (st *stage) heals(id string) {
	st.Helper()
	_, answer := st.decide(ScheduleInput{CommandMeta: CommandMeta{CommandID: id}, Schedule: event.Schedule{Drift: &event.DriftPolicy{Policy: event.DriftHeal}}})
	require.True(st, answer.Accepted)
}

func TestALookBetweenOperationsIsKeptWhereItIsNews(t *testing.T) {
	st := deployed(t, node("db"))
	st.s.Changes(0, 9)
	require.Equal(t, []string{"resource.observed"}, st.seen("db", gone))
	require.Empty(t, st.seen("db", gone))
	c := st.s.Changes(0, 9)
	require.Equal(t, 1, c.Environments[0].Drifted)
	require.Equal(t, event.Absent, c.Resources[0].Drift.Presence)
	require.Empty(t, c.Operations)
	require.Equal(t, []string{"resource.observed"}, st.seen("db", asLeft))
}

func TestALookThatAnOperationHasOvertakenIsVoid(t *testing.T) {
	st := deployed(t, node("db"))
	look := LookInput{Step: "db", Operation: st.s.Operation.ID, Epoch: st.s.Epoch, Observation: gone, At: st.now}
	st.update("2", node("db"), node("new"))
	types, _ := st.decide(look)
	require.Empty(t, types, "something is under way")
	st.finish("new", nil)
	types, _ = st.decide(look)
	require.Empty(t, types, "it began before that")
	look.Operation, look.Step = st.s.Operation.ID, "nothing"
	types, _ = st.decide(look)
	require.Empty(t, types)
}

func TestHealingByItself(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	st.heals("2")
	require.Equal(t, []string{"resource.observed", "environment.healing", "environment.deploying", "step.waiting db"}, st.seen("db", drifted))
	require.Equal(t, []string{"step.complete db", "step.unchanged api", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("db", nil))
	require.Nil(t, st.s.Step("db").Drift)
	st.now = st.now.Add(time.Minute)
	require.Equal(t, []string{"resource.observed"}, st.seen("db", drifted), "who undoes it may do so again")
	require.Empty(t, st.seen("db", drifted))
	st.now = st.now.Add(healHold)
	require.Contains(t, st.seen("db", drifted), "environment.healing")
}

func TestHealingGivesUp(t *testing.T) {
	st := deployed(t, node("db"))
	st.heals("2")
	for range mostHeals {
		require.Contains(t, st.seen("db", gone), "environment.healing")
		st.finish("db", nil)
		st.now = st.now.Add(healHold << mostHeals / 4)
	}
	require.Equal(t, []string{"resource.observed", "resource.heal-gave-up"}, st.seen("db", gone))
	require.True(t, st.s.Changes(0, 9).Resources[0].HealGaveUp)
	st.now = st.now.Add(48 * time.Hour)
	require.Empty(t, st.seen("db", gone))
	st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "3"}, Update: event.Update{Heal: true}, Resolved: Resolved{Nodes: []Node{node("db")}}})
	st.finish("db", nil)
	require.Contains(t, st.seen("db", gone), "environment.healing", "somebody has seen to it")
}

func TestALockedEnvironmentIsNotHealed(t *testing.T) {
	st := deployed(t, node("db"))
	st.heals("2")
	st.decide(LockInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Equal(t, []string{"resource.observed"}, st.seen("db", gone))
}
