package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// made is a history of two steps that is as it should be: the first was lost once and tried again.
func made() history {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begun.Add(time.Duration(ms) * time.Millisecond) }
	step := func(seq uint64, ms int, typ, name string, attempt int) entry {
		return entry{Seq: seq, Type: typ, Time: at(ms), Data: fact{Operation: "op-1", Step: name, Attempt: attempt, Verb: "apply"}}
	}
	did := func(end bool, ms int, name string, attempt, pid int) effect {
		return effect{End: end, Environment: "made", Operation: "op-1", Step: name, Attempt: attempt, PID: pid, At: at(ms)}
	}
	return history{
		Name: "made", Want: "deployed", Status: "deployed", Nodes: 2,
		Journal: []entry{
			{Seq: 1, Type: "environment.created", Time: at(0), Data: fact{Operation: "op-1"}},
			step(2, 1, "step.waiting", "t.action.a", 1),
			step(3, 20, "step.queued", "t.action.a", 1),
			step(4, 21, "step.waiting", "t.action.a", 2),
			step(5, 50, "step.complete", "t.action.a", 2),
			step(6, 51, "step.waiting", "t.action.b", 1),
			step(7, 90, "step.complete", "t.action.b", 1),
			{Seq: 8, Type: "environment.deployed", Time: at(91), Data: fact{Operation: "op-1"}},
		},
		Effects: []effect{
			did(false, 5, "t.action.a", 1, 100),
			did(false, 30, "t.action.a", 2, 101), did(true, 40, "t.action.a", 2, 101),
			did(false, 60, "t.action.b", 1, 102), did(true, 80, "t.action.b", 1, 102),
		},
	}
}

func TestTheCheckerIsContentWithWhatIsRight(t *testing.T) {
	found := check(made())
	require.False(t, found.bad(), "%s", &found)
	require.Equal(t, 2, found.Steps)
}

func TestTheCheckerFinds(t *testing.T) {
	lost := func(f findings) []string { return f.Lost }
	doubled := func(f findings) []string { return f.Doubled }
	untrue := func(f findings) []string { return f.Untrue }
	for name, one := range map[string]struct {
		spoil func(*history)
		in    func(findings) []string
	}{
		"an effect that is missing": {func(h *history) { h.Effects = h.Effects[:3] }, lost},
		"an effect without an end":  {func(h *history) { h.Effects = h.Effects[:4] }, lost},
		"an effect of another attempt": {func(h *history) {
			h.Effects[1].Attempt, h.Effects[2].Attempt = 1, 1
			h.Effects = h.Effects[1:]
		}, lost},
		"an end that came later than the journal says": {func(h *history) { h.Effects[4].At = h.Effects[4].At.Add(time.Second) }, lost},
		"a step that is not complete": {func(h *history) {
			h.Journal = append(h.Journal[:6:6], h.Journal[7])
		}, lost},
		"a completed step that ran again": {func(h *history) {
			again := h.Effects[1]
			again.Attempt, again.PID, again.At = 2, 200, again.At.Add(time.Second)
			h.Effects = append(h.Effects, again)
		}, doubled},
		"an attempt that began twice": {func(h *history) {
			again := h.Effects[3]
			again.PID = 201
			h.Effects = append(h.Effects, again)
		}, doubled},
		"attempts that overlapped": {func(h *history) {
			late := h.Effects[0]
			late.End, late.At = true, h.Effects[1].At.Add(5*time.Millisecond)
			h.Effects = append(h.Effects, late)
		}, doubled},
		"an attempt that was stopped too late": {func(h *history) {
			late := h.Effects[0]
			late.Cut, late.At = true, h.Effects[1].At.Add(5*time.Millisecond)
			h.Effects = append(h.Effects, late)
		}, doubled},
		"a completion by an attempt that was stopped": {func(h *history) { h.Effects[4].End, h.Effects[4].Cut = false, true }, lost},
		"a second completion": {func(h *history) {
			again := h.Journal[4]
			again.Seq = 9
			h.Journal = append(h.Journal, again)
		}, doubled},
		"an offer after completion": {func(h *history) {
			again := h.Journal[3]
			again.Seq, again.Data.Attempt = 9, 3
			h.Journal = append(h.Journal, again)
		}, doubled},
		"an attempt number that was used before": {func(h *history) { h.Journal[3].Data.Attempt = 1; h.Journal[4].Data.Attempt = 1 }, doubled},
		"a status that nobody journalled":        {func(h *history) { h.Journal = h.Journal[:7] }, untrue},
		"an environment that did not get there":  {func(h *history) { h.Status = "failed" }, untrue},
		"an attempt that nobody offered":         {func(h *history) { h.Effects[0].Attempt = 7 }, untrue},
		"a completion that nobody offered":       {func(h *history) { h.Journal[6].Data.Attempt = 4 }, untrue},
		"a destroy that left something": {func(h *history) {
			h.Want, h.Status, h.Destroy = "destroyed", "destroyed", 1
			h.Journal[7].Type = "environment.destroyed"
		}, lost},
	} {
		t.Run(name, func(t *testing.T) {
			h := made()
			one.spoil(&h)
			require.NotEmpty(t, one.in(check(h)))
		})
	}
}

func TestOverlapIsForgivenAsFarAsTheTestAllows(t *testing.T) {
	h := made()
	late := h.Effects[0]
	late.End, late.At = true, h.Effects[1].At.Add(5*time.Millisecond)
	h.Effects = append(h.Effects, late)
	h.Overlap = 10 * time.Millisecond
	found := check(h)
	require.False(t, found.bad(), "%s", &found)
}
