package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func resource(address, group string, state environment.StepState) environment.ResourceRecord {
	return environment.ResourceRecord{
		Node: environment.Node{Address: address, Group: group, Template: "notes"},
		Step: environment.StepRecord{State: state, Verb: event.Apply},
	}
}

func entry(t *testing.T, at time.Time, body environment.Body) store.Entry {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	return store.Entry{Type: body.Type(), Time: at, Data: data, Operation: "op-1"}
}

// grown is a tree of three groups' worth of steps, brought forward by facts.
func grown(t *testing.T) *tree {
	t.Helper()
	tr := newTree("notes")
	tr.load(environment.Record{
		Name: "notes", Status: environment.Pending, Operation: "op-1",
		Groups: []environment.Group{{Name: "network"}, {Name: "database"}},
	}, []environment.ResourceRecord{
		resource("notes.terraform.database", "database", environment.StateBlocked),
		resource("notes.terraform.network", "network", environment.StateBlocked),
		resource("notes.terraform.dns", "network", environment.StateBlocked),
		resource("notes.action.migrate", "", environment.StateBlocked),
		resource("notes.action.verify", "", environment.StateBlocked),
	})
	tr.begin(environment.OperationRecord{ID: "op-1", StartedAt: noon})
	at := func(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }
	for _, e := range []store.Entry{
		entry(t, at(0.1), environment.StatusDeploying{Operation: "op-1"}),
		entry(t, at(0.2), environment.StepWaiting{Step: "notes.terraform.network", Attempt: 1, Verb: event.Apply}),
		entry(t, at(0.3), environment.StepRunning{Step: "notes.terraform.network", Attempt: 1, StartedAt: at(0.2)}),
		entry(t, at(1.5), environment.StepComplete{Step: "notes.terraform.network", Attempt: 1, StartedAt: at(0.2), FinishedAt: at(1.4)}),
		entry(t, at(1.6), environment.StepWaiting{Step: "notes.terraform.dns", Attempt: 2, Verb: event.Apply}),
		entry(t, at(1.7), environment.StepRunning{Step: "notes.terraform.dns", Attempt: 2, StartedAt: at(1.6)}),
		entry(t, at(1.8), environment.StepWaiting{Step: "notes.terraform.database", Attempt: 1, Verb: event.Apply}),
		entry(t, at(2.8), environment.StepError{Step: "notes.terraform.database", Attempt: 1,
			Error: fault.New(fault.GiveUp, fault.ExecutorFailed, "no space left on device")}),
		entry(t, at(2.9), environment.StepSkipped{Step: "notes.action.migrate", Because: "notes.terraform.database"}),
	} {
		_, err := tr.apply(e)
		require.NoError(t, err)
	}
	return tr
}

func TestTreeShowsGroupsStatesTimesAttemptsAndErrors(t *testing.T) {
	lines := grown(t).render(view{now: noon.Add(4 * time.Second), width: 100})
	require.Equal(t, strings.TrimPrefix(`
notes  deploying  3 of 5 steps  4.0s
  network
    ⠋ terraform.dns         2.4s  attempt 2
    ✓ terraform.network     1.2s
  database
    ✗ terraform.database    1.0s  no space left on device
  (no group)
    − action.migrate              terraform.database failed
    · action.verify`, "\n"), trimmed(lines))
}

// trimmed joins lines without the space at their ends.
func trimmed(lines []string) string {
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

func TestTreeFitsTheTerminal(t *testing.T) {
	tr := grown(t)
	for width := 40; width <= 120; width += 7 {
		for _, line := range tr.render(view{now: noon.Add(time.Hour), width: width}) {
			require.LessOrEqual(t, utf8.RuneCountInString(line), width, line)
		}
	}
	var many []environment.ResourceRecord
	for i := range 100 {
		many = append(many, resource(fmt.Sprintf("notes.noop.n%03d", i), "g", environment.StateRunning))
	}
	tr.load(environment.Record{Name: "notes"}, many)
	lines := tr.render(view{now: noon, width: 80, height: 20})
	require.Len(t, lines, 20)
	require.Contains(t, lines[19], "… and 83 more lines")
}

func TestAHighTreeNamesOnlyWhatRunsOrFailed(t *testing.T) {
	lines := grown(t).render(view{now: noon.Add(4 * time.Second), width: 80, height: 7})
	text := trimmed(lines)
	require.LessOrEqual(t, len(lines), 7)
	require.Contains(t, text, "network  1 of 2")
	require.Contains(t, text, "terraform.dns")
	require.Contains(t, text, "terraform.database")
	require.NotContains(t, text, "action.verify")
}

func TestControlCharactersOfOthersDoNotReachTheTerminal(t *testing.T) {
	tr := grown(t)
	_, err := tr.apply(entry(t, noon, environment.StepError{Step: "notes.terraform.dns",
		Error: fault.New(fault.GiveUp, fault.ExecutorFailed, "bad\x1b[2J\r\nnews\u202e")}))
	require.NoError(t, err)
	text := strings.Join(tr.render(view{now: noon, width: 120}), "\n")
	require.NotContains(t, text, "\x1b")
	require.NotContains(t, text, "\u202e")
	require.Contains(t, text, "bad[2J news")
}

func TestANewOperationMakesTheTreeStale(t *testing.T) {
	tr := grown(t)
	_, err := tr.apply(entry(t, noon.Add(time.Hour), environment.StatusDestroying{Operation: "op-2"}))
	require.NoError(t, err)
	require.True(t, tr.stale)
	require.Equal(t, environment.Destroying, tr.status)
	require.Equal(t, "op-2", tr.current)

	tr = grown(t)
	_, err = tr.apply(entry(t, noon, environment.StepWaiting{Step: "notes.terraform.unheard-of"}))
	require.NoError(t, err)
	require.True(t, tr.stale)
}

func TestStatusesFollowTheFacts(t *testing.T) {
	for _, tt := range []struct {
		body environment.Body
		want environment.Status
	}{
		{environment.Created{}, environment.Pending}, {environment.StatusDeploying{}, environment.Deploying},
		{environment.StatusValidating{}, environment.Validating}, {environment.StatusDeployed{}, environment.Deployed},
		{environment.StatusFailed{}, environment.Failed}, {environment.StatusDestroying{}, environment.Destroying},
		{environment.StatusDestroyed{}, environment.Destroyed}, {environment.StatusDestroyFailed{}, environment.DestroyFailed},
	} {
		tr := newTree("x")
		_, err := tr.apply(entry(t, noon, tt.body))
		require.NoError(t, err)
		require.Equal(t, tt.want, tr.status)
	}
	_, err := newTree("x").apply(store.Entry{Type: "no.such", Data: []byte("{}")})
	require.Error(t, err)
}

func TestElapsed(t *testing.T) {
	require.Equal(t, "0.0s", elapsed(0))
	require.Equal(t, "59.9s", elapsed(59900*time.Millisecond))
	require.Equal(t, "1m05s", elapsed(65*time.Second))
	require.Equal(t, "2h03m", elapsed(2*time.Hour+3*time.Minute))
}
