package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// office is in UTC; the stage begins on a Tuesday at 22:13:20.
var office = event.Hours{Up: "0 8 * * 1-5", Down: "0 19 * * 1-5"}

func (st *stage) hours(id string, h event.Hours) *event.Answer {
	_, answer := st.decide(ScheduleInput{CommandMeta: CommandMeta{CommandID: id}, Schedule: event.Schedule{Hours: &h}})
	return answer
}

func (st *stage) at(day, hour int) []string {
	st.now = time.Date(2023, time.November, day, hour, 0, 0, 0, time.UTC)
	would := len(st.wouldDo()) > 0
	require.Equal(st, would, st.d.Imminent(st.s, st.now), "the server asks only where something is due")
	types, _ := st.decide(TickInput{})
	return types
}

func TestOfficeHours(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	require.True(t, st.hours("2", office).Accepted)
	require.Empty(t, st.at(15, 8)[1:], "what is up stays up")
	require.Empty(t, st.at(15, 18))
	require.Equal(t, []string{"environment.destroying", "environment.appointed", "step.waiting api"}, st.at(15, 19))
	st.finish("api", nil)
	st.finish("db", nil)
	require.Equal(t, Destroyed, st.s.Status)
	r := st.s.Changes(0, 9).Environments[0]
	require.Equal(t, []Appointment{{"create", time.Date(2023, 11, 16, 8, 0, 0, 0, time.UTC)}, {"destroy", time.Date(2023, 11, 16, 19, 0, 0, 0, time.UTC)}}, r.Next)
	require.Empty(t, st.at(16, 7))
	require.Equal(t, []string{"environment.created", "environment.deploying", "environment.appointed", "step.waiting db"}, st.at(16, 8))
	st.finish("db", nil)
	st.finish("api", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.NotEmpty(t, st.at(16, 19))
}

func TestAMissedTimeCountsOnce(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", office)
	require.Equal(t, []string{"environment.appointed"}, st.at(17, 9), "it went down and came up again twice meanwhile, and is up")
	require.Equal(t, []string{"environment.destroying", "environment.appointed", "step.waiting db"}, st.at(18, 3))
	st.finish("db", nil)
	require.Empty(t, st.at(19, 12), "on Sunday nothing comes")
	require.Equal(t, "environment.created", st.at(20, 12)[0])
}

func TestSomethingDownIsLeftDownWhenItShouldBe(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", office)
	st.at(15, 19)
	st.finish("db", nil)
	require.Equal(t, []string{"environment.appointed"}, st.at(16, 20))
	require.True(t, st.s.Down)
	require.Equal(t, time.Date(2023, 11, 17, 8, 0, 0, 0, time.UTC), *st.s.Next.Up)
}

func TestHoursAreTakenBack(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", office)
	st.at(15, 19)
	st.finish("db", nil)
	_, answer := st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Contains(t, answer.Error.Message, "down until 2023-11-16T08:00:00Z")
	require.True(t, st.hours("4", event.Hours{}).Accepted)
	require.False(t, st.s.Remains())
	require.Empty(t, st.at(16, 8))
	require.Equal(t, fault.NotFound, st.hours("5", office).Error.Code)
}

func TestADestroyByCommandIsForGood(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", office)
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "3"}})
	st.finish("db", nil)
	require.False(t, st.s.Remains())
	require.Empty(t, st.s.Changes(0, 9).Environments[0].Next)
	require.Empty(t, st.at(16, 8))
}

func TestHoursAndTheLock(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", office)
	st.decide(LockInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Equal(t, []string{"environment.destruction-held"}, st.at(15, 19))
	require.Empty(t, st.at(15, 20))
	require.Equal(t, []string{"environment.appointed"}, st.at(16, 8), "it should be up again")
	st.decide(UnlockInput{CommandMeta: CommandMeta{CommandID: "4"}})
	st.at(16, 19)
	require.True(t, st.s.Busy())
	st.decide(LockInput{CommandMeta: CommandMeta{CommandID: "5"}})
	st.finish("db", nil)
	require.Empty(t, st.at(17, 8), "what is locked is not made again")
	st.decide(UnlockInput{CommandMeta: CommandMeta{CommandID: "6"}})
	require.Equal(t, "environment.created", st.at(17, 9)[0])
}

func TestTheLastDayEndsTheHours(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", office)
	end := time.Date(2023, 11, 16, 7, 0, 0, 0, time.UTC)
	st.schedule("3", &end)
	st.at(15, 8)
	require.Equal(t, "environment.destruction-ahead", st.at(15, 12)[0])
	st.at(15, 19)
	st.finish("db", nil)
	require.Equal(t, []string{"environment.appointed"}, st.at(16, 7))
	require.False(t, st.s.Remains())
	require.Empty(t, st.at(16, 8))
}

func TestAFailedDestroyByHoursIsRetriedAsOne(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", office)
	st.at(15, 19)
	st.finish("db", broken)
	require.Equal(t, DestroyFailed, st.s.Status)
	st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "3"}})
	st.finish("db", nil)
	require.True(t, st.s.Down)
}

func TestChecksByTheClock(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", event.Hours{Check: "0 3 * * *", Timezone: "Europe/Berlin"})
	require.Equal(t, []string{"environment.checking", "environment.appointed", "step.waiting db"}, st.at(15, 2))
	st.found("db", gone)
	require.Equal(t, Deployed, st.s.Status)
	require.True(t, st.s.Step("db").Drift.Off())
}

func TestDownWithoutUpIsForGood(t *testing.T) {
	st := deployed(t, node("db"))
	st.hours("2", event.Hours{Down: "0 19 * * 1-5"})
	st.at(15, 19)
	st.finish("db", nil)
	require.False(t, st.s.Remains())
}

func TestLifetimes(t *testing.T) {
	st := newStage(t, node("a"))
	st.decide(CreateInput{CommandMeta: CommandMeta{CommandID: "1"}, Resolved: Resolved{Nodes: []Node{node("a")}, Lifetime: "72h"}})
	require.Equal(t, st.now.Add(72*time.Hour), *st.s.DestroyAt, "the template's")
	st.finish("a", nil)
	send := func(id string, s event.Schedule) *event.Answer {
		_, answer := st.decide(ScheduleInput{CommandMeta: CommandMeta{CommandID: id}, Schedule: s})
		return answer
	}
	require.True(t, send("2", event.Schedule{Extend: "24h"}).Accepted)
	require.Equal(t, st.now.Add(96*time.Hour), *st.s.DestroyAt)
	require.Equal(t, fault.Invalid, send("3", event.Schedule{Extend: "-100h"}).Error.Code)
	require.True(t, send("4", event.Schedule{Hours: &office}).Accepted)
	require.Equal(t, st.now.Add(96*time.Hour), *st.s.DestroyAt, "hours leave it alone")
	require.True(t, send("5", event.Schedule{Lifetime: "1h"}).Accepted)
	require.Equal(t, st.now.Add(time.Hour), *st.s.DestroyAt)
	require.True(t, send("6", event.Schedule{}).Accepted)
	require.Nil(t, st.s.DestroyAt)
	require.Equal(t, fault.Conflict, send("7", event.Schedule{Extend: "1h"}).Error.Code)
	st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "8"}, Update: event.Update{Lifetime: "2h"}, Resolved: Resolved{Nodes: []Node{node("a")}}})
	require.Equal(t, st.now.Add(2*time.Hour), *st.s.DestroyAt)
	st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "9"}, Update: event.Update{Lifetime: "0s"}, Resolved: Resolved{Nodes: []Node{node("a")}, Lifetime: "5h"}})
	require.Nil(t, st.s.DestroyAt)
}

func TestAClockThatIsSetBackChangesNothing(t *testing.T) {
	st := deployed(t, node("a"))
	end := st.now.Add(48 * time.Hour)
	st.schedule("2", &end)
	require.Equal(t, []string{"environment.destruction-ahead"}, st.tick(end.Add(-time.Hour)))
	require.Empty(t, st.tick(end.Add(-30*time.Hour)))
	require.Empty(t, st.tick(end.Add(-time.Hour)), "a warning is given once")
	require.NotEmpty(t, st.tick(end))
	st.now = end.Add(-time.Hour)
	st.finish("a", nil)
	require.Equal(t, Destroyed, st.s.Status)
	require.Empty(t, st.tick(end))
}

func TestHoursThatCantBe(t *testing.T) {
	for _, h := range []event.Hours{{Up: "0 8 * * *"}, {Down: "daily"}, {Down: "0 19 * * *", Timezone: "Moon"}, {Up: "0 8 * * *", Down: "0 8 * * *"}} {
		require.Equal(t, fault.Invalid, CheckHours(&h).Code)
	}
	require.Nil(t, CheckHours(nil))
	require.Nil(t, CheckHours(&office))
	for _, p := range []event.DriftPolicy{{Interval: "often"}, {Interval: "-1h"}, {Policy: "pray"}} {
		require.Equal(t, fault.Invalid, CheckDrift(&p).Code)
	}
	require.Nil(t, CheckDrift(&event.DriftPolicy{Interval: "0s", Policy: "heal"}))
}

func TestWhatATemplateHasNoMoreIsNotMadeAgain(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	st.update("2", node("api"))
	st.finish("api", broken)
	require.Len(t, st.s.Nodes, 2)
	st.hours("3", office)
	st.at(15, 19)
	st.finish("api", nil)
	st.finish("db", nil)
	st.at(16, 8)
	require.Len(t, st.s.Nodes, 1)
}
