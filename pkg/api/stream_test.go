package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const journalPath = wire.Prefix + "/environments/notes/journal"

func (f *fixture) follow(ctx context.Context, path string, headers ...string) <-chan sse {
	f.t.Helper()
	response := f.open(ctx, http.MethodGet, path, append([]string{"Accept", mimeStream}, headers...)...)
	require.Equal(f.t, http.StatusOK, response.StatusCode)
	require.Equal(f.t, mimeStream, response.Header.Get("Content-Type"))
	f.t.Cleanup(func() { _ = response.Body.Close() })
	return events(f.t, response.Body)
}

func TestJournalStreamIsLiveAndResumes(t *testing.T) {
	f := start(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	all := f.follow(ctx, journalPath)
	for i, want := range []string{"environment.created", "environment.deploying", "step.waiting"} {
		e := next(t, all)
		require.Equal(t, sse{id: strconv.Itoa(i + 1), event: want, data: e.data}, e)
		var entry store.Entry
		require.NoError(t, json.Unmarshal([]byte(e.data), &entry))
		require.Equal(t, want, entry.Type)
		require.NotContains(t, e.data, "$sealed")
		require.NotContains(t, e.data, `"nodes"`)
	}
	f.append("old-1", environment.Changes{}, environment.StatusDeploying{Operation: "other"})
	f.append("notes", environment.Changes{}, environment.StatusDeployed{Operation: operation, Outputs: f.object("token")})
	live := next(t, all)
	require.Equal(t, "environment.deployed", live.event)
	require.Contains(t, live.data, "(sensitive)")
	cancel()

	again, stop := context.WithCancel(context.Background())
	defer stop()
	require.Equal(t, "step.waiting", next(t, f.follow(again, journalPath, "Last-Event-ID", "2")).event)
	require.Equal(t, live.id, next(t, f.follow(again, journalPath+"?after=3")).id)
	require.Equal(t, "3", next(t, f.follow(again, journalPath+"?after=1", "Last-Event-ID", "2")).id, "the header comes first")
}

func TestStreamsBeatAndEndWithTheServer(t *testing.T) {
	f := start(t, func(o *Options) { o.Heartbeat = 5 * time.Millisecond })
	all := f.follow(context.Background(), journalPath+"?after=3")
	require.Equal(t, "heartbeat", next(t, all).comment)
	logs := f.follow(context.Background(), wire.Prefix+"/environments/notes/logs?after=1000")
	require.Equal(t, "heartbeat", next(t, logs).comment)
	f.stop()
	for _, stream := range []<-chan sse{all, logs} {
		require.Eventually(t, func() bool {
			for {
				select {
				case _, open := <-stream:
					if !open {
						return true
					}
				default:
					return false
				}
			}
		}, patience, time.Millisecond)
	}
}

func TestStalledClientHoldsUpNobody(t *testing.T) {
	f := start(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stalledClient := f.open(ctx, http.MethodGet, journalPath, "Accept", mimeStream)
	defer func() { _ = stalledClient.Body.Close() }()
	other := f.follow(ctx, journalPath+"?after=3")
	text := strings.Repeat("x", 10<<10)
	const count = 2000 // 20 MB: more than the sockets between take
	for i := 0; i < count; i += 500 {
		bodies := make([]environment.Body, 500)
		for j := range bodies {
			bodies[j] = environment.Cancelling{Operation: operation, Reason: text}
		}
		f.append("notes", environment.Changes{}, bodies...)
	}
	for range count {
		require.Equal(t, "operation.cancelling", next(t, other).event)
	}
	require.Equal(t, "pong", read[wire.Ping](f, "/self/ping").Ping)
}

func TestLogStreamEndsWhenTheOperationIsOver(t *testing.T) {
	f := start(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	response := f.open(ctx, http.MethodGet, wire.Prefix+"/environments/notes/logs?follow&until=settled&operation="+operation)
	defer func() { _ = response.Body.Close() }()
	all := events(t, response.Body)
	for range 3 {
		require.Equal(t, "line", next(t, all).event)
	}
	f.log(3, "live")
	require.Contains(t, next(t, all).data, "live")
	over := operations()[1]
	end := began
	over.Status, over.FinishedAt = environment.OperationSucceeded, &end
	f.append("notes", environment.Changes{Operations: []environment.OperationRecord{over}}, environment.Finished{Operation: operation})
	f.log(4, "late")
	require.Contains(t, next(t, all).data, "late")
	last := next(t, all)
	require.Equal(t, "end", last.event)
	require.JSONEq(t, `{"operation":"op-2","status":"succeeded"}`, last.data)
	_, open := <-all
	require.False(t, open)

	resumed := f.follow(ctx, wire.Prefix+"/environments/notes/logs?until=settled", "Last-Event-ID", "4")
	require.Contains(t, next(t, resumed).data, "late")
	require.Equal(t, "end", next(t, resumed).event)
	f.problem(http.StatusNotFound, http.MethodGet, wire.Prefix+"/environments/notes/logs?follow&until=settled&operation=none")
}

func TestLogsAsPages(t *testing.T) {
	f := start(t, nil)
	var texts []string
	for after := "0"; after != ""; {
		page := read[wire.List[store.LogRecord]](f, "/environments/notes/logs?limit=2&operation="+operation+"&step=notes.terraform.network&after="+after)
		for _, line := range page.Items {
			texts = append(texts, line.Text)
		}
		after = page.Next
	}
	require.Len(t, texts, 3)
	require.Equal(t, "Creating...", texts[0])
	require.Empty(t, read[wire.List[store.LogRecord]](f, "/environments/notes/logs?operation=op-1").Items)
}

func TestAccepts(t *testing.T) {
	for header, want := range map[string]bool{
		"text/event-stream": true, "text/html, text/event-stream;q=0.5": true, "Text/Event-Stream; charset=utf-8": true,
		"*/*": false, "": false, "application/json": false, "text/event-stream;q=0": false, "text/*": false, ";;": false,
	} {
		require.Equal(t, want, accepts([]string{header}, mimeStream), header)
	}
}
