package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

const (
	network   = "notes.terraform.network"
	stepPath  = wire.Prefix + "/environments/notes/steps/" + network + "/logs"
	running   = "notes.terraform.a" // a step that has not ended
	runsPath  = wire.Prefix + "/environments/notes/steps/" + running + "/logs"
	loudLines = 12_000
)

// print writes lines of an attempt of a step, numbered from first on.
func (f *fixture) print(step string, attempt, first int, lines ...string) {
	f.t.Helper()
	l := event.Logs{First: first, TaskRef: event.TaskRef{
		Environment: "notes", Operation: operation, Step: step, Attempt: attempt, Partition: partition, Epoch: 1,
	}}
	for _, text := range lines {
		l.Lines = append(l.Lines, event.LogLine{Time: time.Now(), Stream: "out", Text: text})
	}
	require.NoError(f.t, f.store.AppendLogs(context.Background(), l))
}

// end lets a step end, in the projection and the journal.
func (f *fixture) end(step string) {
	f.t.Helper()
	for _, r := range f.resources() {
		if r.Address == step {
			r.Step.State, r.Status = environment.StateComplete, environment.Deployed
			f.append("notes", environment.Changes{Resources: []environment.ResourceRecord{r}},
				environment.StepComplete{Operation: operation, Step: step, Attempt: 1, StartedAt: began, FinishedAt: began})
		}
	}
}

func texts(list wire.List[store.LogRecord]) (all []string) {
	for _, l := range list.Items {
		all = append(all, l.Text)
	}
	return all
}

func TestLogsOfAStepAsPages(t *testing.T) {
	f := start(t, nil)
	f.print(network, 2, 0, "again", "and done")
	f.print(running, 1, 0, "other")
	path := strings.TrimPrefix(stepPath, wire.Prefix)
	all := read[wire.List[store.LogRecord]](f, path)
	require.Equal(t, []string{"Creating...", "Still creating...", "Created " + hostile, "again", "and done"}, texts(all))
	require.Equal(t, operation, all.Items[0].Operation)
	require.Equal(t, []string{"again", "and done"}, texts(read[wire.List[store.LogRecord]](f, path+"?attempt=2")))
	first := read[wire.List[store.LogRecord]](f, path+"?limit=2")
	require.Equal(t, strconv.FormatUint(first.Items[1].ID, 10), first.Next)
	require.Equal(t, []string{"Created " + hostile, "again"}, texts(read[wire.List[store.LogRecord]](f, path+"?limit=2&after="+first.Next)))
	require.Empty(t, read[wire.List[store.LogRecord]](f, path+"?operation=op-1").Items, "the step is there, its lines are not")
	require.Equal(t, []string{"again", "and done"}, texts(read[wire.List[store.LogRecord]](f, "/environments/notes/logs?attempt=2")))

	f.problem(http.StatusNotFound, http.MethodGet, wire.Prefix+"/environments/notes/steps/none/logs")
	f.problem(http.StatusNotFound, http.MethodGet, wire.Prefix+"/environments/none/steps/none/logs")
	for _, bad := range []string{"?attempt=0", "?attempt=x", "?until=ended", "?follow&until=settled", "?step=x"} {
		f.problem(http.StatusBadRequest, http.MethodGet, stepPath+bad)
	}
	f.problem(http.StatusNotFound, http.MethodGet, wire.Prefix+"/environments/notes/steps/none/logs?follow")
	f.problem(http.StatusBadRequest, http.MethodGet, stepPath, "Accept", mimeStream, "Last-Event-ID", "1-2")

	evil := url.PathEscape("notes.terraform." + hostile)
	f.print("notes.terraform."+hostile, 1, 0, "evil")
	require.Equal(t, []string{"evil"}, texts(read[wire.List[store.LogRecord]](f, "/environments/notes/steps/"+evil+"/logs")))
}

func TestStreamOfAStepEndsWithIt(t *testing.T) {
	f := start(t, nil)
	all := f.follow(t.Context(), runsPath+"?until=ended")
	f.print(network, 1, 3, "of another step")
	f.print(running, 1, 0, "one", "two")
	one := next(t, all)
	require.Equal(t, "line", one.event)
	require.Contains(t, one.data, `"one"`)
	require.Regexp(t, `^\d+-1-0$`, one.id)
	require.Contains(t, next(t, all).data, `"two"`)
	f.append("notes", environment.Changes{}, environment.StepProgress{Operation: operation, Step: running, Attempt: 1})
	f.end(running)
	f.print(running, 1, 2, "late")
	require.Contains(t, next(t, all).data, `"late"`)
	last := next(t, all)
	require.Equal(t, "end", last.event)
	require.JSONEq(t, `{"operation":"op-2","step":"notes.terraform.a","attempt":1,"state":"complete"}`, last.data)
	_, open := <-all
	require.False(t, open)

	resumed := f.follow(t.Context(), runsPath+"?until=ended", "Last-Event-ID", one.id)
	require.Contains(t, next(t, resumed).data, `"two"`)
	require.Contains(t, next(t, resumed).data, `"late"`)
	require.Equal(t, "end", next(t, resumed).event)
}

func TestStreamOfAnEarlierAttemptOrOperationEnds(t *testing.T) {
	f := start(t, nil)
	for _, r := range f.resources() {
		if r.Address == running {
			r.Step.Attempt = 3
			f.append("notes", environment.Changes{Resources: []environment.ResourceRecord{r}}, environment.StepWaiting{Operation: operation, Step: running, Attempt: 3})
		}
	}
	f.print(running, 2, 0, "of the second attempt")
	f.print(running, 3, 0, "of the third")
	all := f.follow(t.Context(), runsPath+"?until=ended&attempt=2")
	require.Contains(t, next(t, all).data, "of the second")
	require.JSONEq(t, `{"step":"notes.terraform.a","attempt":2}`, next(t, all).data)
	earlier := f.follow(t.Context(), runsPath+"?until=ended&operation=op-1")
	require.JSONEq(t, `{"operation":"op-1","step":"notes.terraform.a"}`, next(t, earlier).data)
}

// TestWhatWasPrunedIsTold: the store keeps the newest lines only, and the stream says how many are gone.
func TestWhatWasPrunedIsTold(t *testing.T) {
	f := startOn(t, sqlite.Options{StepLogLines: 100}, nil)
	for n := 0; n < 1000; n += 5 {
		f.print(running, 1, n, "1", "2", "3", "4", "5")
	}
	f.end(running)
	for _, path := range []string{runsPath + "?until=ended", wire.Prefix + "/environments/notes/logs?until=settled&step=" + running} {
		if strings.Contains(path, "settled") {
			over := operations()[1]
			over.FinishedAt = &began
			f.append("notes", environment.Changes{Operations: []environment.OperationRecord{over}}, environment.Finished{Operation: operation})
		}
		got := tally{}
		for e := range f.follow(t.Context(), path) {
			got.add(e)
		}
		require.Equal(t, 1000, got.lines+got.missed)
		require.GreaterOrEqual(t, got.missed, 890)
	}
	got := tally{}
	for e := range f.follow(t.Context(), runsPath+"?until=ended", "Last-Event-ID", "8-1-4") {
		got.add(e)
	}
	require.Equal(t, 995, got.lines+got.missed, "behind the line with number 4")
}

// TestTheStreamOfARunningResourceGoesOn after its step, until something else happens to it.
func TestTheStreamOfARunningResourceGoesOn(t *testing.T) {
	f := start(t, func(o *Options) { o.Follows = func(kind string) bool { return kind == "terraform" } })
	f.end(running)
	f.print(running, 1, 0, "applied")
	all := f.follow(t.Context(), runsPath+"?until=ended&operation="+operation)
	require.Contains(t, next(t, all).data, "applied")
	attempt := f.follow(t.Context(), runsPath+"?until=ended&attempt=1")
	require.Contains(t, next(t, attempt).data, "applied")
	require.Equal(t, "end", next(t, attempt).event, "an attempt ends, after some time without a line")
	f.print(running, 0, 1_700_000_000_000, "from the container")
	line := next(t, all)
	require.Contains(t, line.data, "from the container")
	require.Regexp(t, `^\d+$`, line.id)
	f.print(running, 0, 1_700_000_060_000, "and more")
	require.Contains(t, next(t, all).data, "and more")
	for _, r := range f.resources() {
		if r.Address == running {
			r.Step.State, r.Status = environment.StateComplete, environment.Destroyed
			f.append("notes", environment.Changes{Resources: []environment.ResourceRecord{r}},
				environment.StepComplete{Operation: operation, Step: running, Attempt: 1, StartedAt: began, FinishedAt: began})
		}
	}
	require.Equal(t, "end", next(t, all).event)
}
