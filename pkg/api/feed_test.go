package api

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// tally counts what a reader got and was told of.
type tally struct {
	lines, missed int
	last          uint64
	ended         bool
	wrong         string
}

func (c *tally) add(e sse) {
	switch e.event {
	case "line":
		p, ok := parsePosition(e.id)
		if !ok || p.id <= c.last {
			c.wrong = "a line with the id " + e.id
		}
		c.lines, c.last = c.lines+1, p.id
	case "missed":
		var m wire.Missed
		if json.Unmarshal([]byte(e.data), &m) != nil || m.Lines <= 0 {
			c.wrong = e.data
		}
		c.missed += m.Lines
	case "end":
		c.ended = true
	}
}

// TestSlowReadersHoldUpNobody: ten readers that do not read while a step prints cost neither the writer nor much memory,
// and afterwards know exactly how much they have missed.
func TestSlowReadersHoldUpNobody(t *testing.T) {
	f := startOn(t, sqlite.Options{StepLogLines: 1000}, nil)
	readers := make([]*http.Response, 10)
	for i := range readers {
		readers[i] = f.openSlowly(runsPath + "?until=ended")
	}
	before := heap()
	line := strings.Repeat("x", 1000)
	batch := make([]string, 500)
	for i := range batch {
		batch[i] = line
	}
	for n := 0; n < loudLines; n += len(batch) {
		f.print(running, 1, n, batch...)
	}
	require.Less(t, heap()-before, int64(4*len(line)*loudLines), "much less than what ten of them have not read")
	f.end(running)
	var group sync.WaitGroup
	tallies := make([]tally, len(readers))
	for i, response := range readers {
		group.Go(func() {
			for e := range events(t, response.Body) {
				tallies[i].add(e)
			}
			_ = response.Body.Close()
		})
	}
	group.Wait()
	for _, got := range tallies {
		require.Empty(t, got.wrong)
		require.True(t, got.ended)
		require.Equal(t, loudLines, got.lines+got.missed)
		require.Positive(t, got.missed)
	}
}

// openSlowly opens a stream on a connection that takes little on its own.
func (f *fixture) openSlowly(path string) *http.Response {
	f.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if tcp, ok := c.(*net.TCPConn); ok {
			err = tcp.SetReadBuffer(16 << 10)
		}
		return c, err
	}}
	f.t.Cleanup(transport.CloseIdleConnections)
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.base+path, nil)
	require.NoError(f.t, err)
	request.Header.Set("Accept", mimeStream)
	response, err := transport.RoundTrip(request)
	require.NoError(f.t, err)
	require.Equal(f.t, http.StatusOK, response.StatusCode)
	return response
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// asked counts what a store is asked for lines: by feeds, and by readers.
type asked struct {
	store.Store
	feeds, readers, journal atomic.Int64
}

func (a *asked) ReadLogs(ctx context.Context, s store.LogSelection) ([]store.LogRecord, error) {
	if s.Newest {
		a.feeds.Add(1)
	} else {
		a.readers.Add(1)
	}
	return a.Store.ReadLogs(ctx, s)
}

func (a *asked) Entries(ctx context.Context, s store.Selection) ([]store.Entry, error) {
	a.journal.Add(1)
	return a.Store.Entries(ctx, s)
}

// TestIdleReadersCostTheStoreNothing: while nothing is new only the feed asks, once for all of them.
func TestIdleReadersCostTheStoreNothing(t *testing.T) {
	var a *asked
	f := start(t, func(o *Options) { a = &asked{Store: o.Store}; o.Store = a })
	var all []<-chan sse
	for i := range 8 {
		path := []string{runsPath + "?until=ended", runsPath + "?follow", wire.Prefix + "/environments/notes/logs?until=settled&step=x"}[i%3]
		all = append(all, f.follow(t.Context(), path))
	}
	looks := func(n int64) {
		from := a.feeds.Load()
		require.Eventually(t, func() bool { return a.feeds.Load() >= from+n }, patience, time.Millisecond)
	}
	looks(3) // everybody has read what there is
	readers, journal := a.readers.Load(), a.journal.Load()
	looks(4)
	require.Equal(t, readers, a.readers.Load())
	require.Equal(t, journal, a.journal.Load())
	f.print(running, 1, 0, "news")
	require.Contains(t, next(t, all[0]).data, "news")
	require.Contains(t, next(t, all[1]).data, "news")
	f.server.feeds.mu.Lock()
	require.Len(t, f.server.feeds.all, 1)
	f.server.feeds.mu.Unlock()
}

// TestFeedsEndWithTheirReaders keeps feeds of environments that nobody follows from asking on.
func TestFeedsEndWithTheirReaders(t *testing.T) {
	f := start(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	f.follow(ctx, runsPath+"?follow")
	f.follow(ctx, stepPath+"?follow")
	cancel()
	require.Eventually(t, func() bool {
		f.server.feeds.mu.Lock()
		defer f.server.feeds.mu.Unlock()
		return len(f.server.feeds.all) == 0
	}, patience, time.Millisecond)
}
