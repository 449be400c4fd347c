package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// tick lets time pass up to a moment.
func (st *stage) tick(at time.Time) []string {
	st.now = at
	require.Equal(st, st.s.DestroyAt != nil && len(st.wouldDo()) > 0, st.d.Imminent(st.s, at), "the server asks only where something is due")
	types, _ := st.decide(TickInput{})
	return types
}

// wouldDo decides on a copy.
func (st *stage) wouldDo() []Fact {
	data, err := st.s.Snapshot()
	require.NoError(st, err)
	s, err := Restore(data)
	require.NoError(st, err)
	return st.d.Decide(s, Surroundings{Resolver: st.plan}, TickInput{}, st.now).Facts
}

func (st *stage) schedule(id string, at *time.Time) *event.Answer {
	_, answer := st.decide(ScheduleInput{CommandMeta: CommandMeta{CommandID: id}, Schedule: event.Schedule{DestroyAt: at}})
	return answer
}

func TestPlannedDestruction(t *testing.T) {
	st := deployed(t, node("a"))
	end := st.now.Add(48 * time.Hour)
	require.True(t, st.schedule("2", &end).Accepted)
	require.Empty(t, st.tick(end.Add(-25*time.Hour)))
	require.Equal(t, []string{"environment.destruction-ahead"}, st.tick(end.Add(-24*time.Hour)))
	require.Empty(t, st.tick(end.Add(-2*time.Hour)), "each warning is given once")
	require.Equal(t, []string{"environment.destruction-ahead"}, st.tick(end.Add(-time.Hour)))
	require.Empty(t, st.tick(end.Add(-time.Second)))
	require.Equal(t, []string{"environment.destroying", "step.waiting a"}, st.tick(end))
	st.finish("a", nil)
	require.Equal(t, Destroyed, st.s.Status)
	require.Empty(t, st.tick(end.Add(time.Hour)))
}

func TestPlannedDestructionIsMovedAndTakenBack(t *testing.T) {
	st := deployed(t, node("a"))
	end := st.now.Add(30 * time.Minute)
	require.True(t, st.schedule("2", &end).Accepted)
	require.Equal(t, []string{"environment.destruction-ahead"}, st.tick(st.now), "at short notice there is one warning, the most urgent")
	later := end.Add(48 * time.Hour)
	require.True(t, st.schedule("3", &later).Accepted)
	require.Empty(t, st.tick(end))
	require.Equal(t, []string{"environment.destruction-ahead"}, st.tick(later.Add(-23*time.Hour)), "the warnings begin anew")
	require.True(t, st.schedule("4", nil).Accepted)
	require.Empty(t, st.tick(later.Add(time.Hour)))
	require.Equal(t, Deployed, st.s.Status)
}

func TestPlannedDestructionWaitsForWhatIsUnderWayAndIsTriedOnce(t *testing.T) {
	st := newStage(t, node("a"))
	end := st.now.Add(time.Second)
	st.create("1", event.Create{DestroyAt: &end}, node("a"))
	st.now = end.Add(time.Second)
	require.Equal(t, []string{"step.complete a", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("a", nil))
	require.Equal(t, []string{"environment.destroying", "step.waiting a"}, st.tick(end.Add(2*time.Second)))
	st.finish("a", broken)
	require.Equal(t, DestroyFailed, st.s.Status)
	require.Empty(t, st.tick(end.Add(time.Hour)))
}

func TestScheduleThatCantBeTaken(t *testing.T) {
	past := time.Unix(1_600_000_000, 0)
	require.Equal(t, fault.NotFound, newStage(t).schedule("1", nil).Error.Code)
	answer := deployed(t, node("a")).schedule("2", &past)
	require.Equal(t, fault.Invalid, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "environment.destroy")
}
