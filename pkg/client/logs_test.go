package client

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// print writes count lines of an attempt of the strange step, ten in a batch.
func (f *fixture) print(attempt, first, count int) {
	f.t.Helper()
	ref := event.TaskRef{Environment: "notes", Operation: "op", Step: strange, Attempt: attempt, Partition: 1, Epoch: 1}
	for n := first; n < first+count; n += 10 {
		l := event.Logs{TaskRef: ref, First: n}
		for len(l.Lines) < min(10, first+count-n) {
			l.Lines = append(l.Lines, event.LogLine{Time: began, Stream: "out", Text: fmt.Sprint(n + len(l.Lines))})
		}
		require.NoError(f.t, f.store.AppendLogs(context.Background(), l))
	}
}

func TestLogsOfAnAttemptOfAStep(t *testing.T) {
	f := start(t)
	f.print(1, 0, 3)
	f.print(2, 0, 2)
	page, err := f.api.Logs(t.Context(), "notes", LogFilter{Operation: "op", Step: strange, Attempt: 2})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	_, err = f.api.Logs(t.Context(), "notes", LogFilter{Step: "none"})
	require.True(t, fault.Is(err, fault.NotFound))
	count := 0
	require.NoError(t, f.api.FollowLogs(t.Context(), "notes", LogFilter{Step: strange, Attempt: 1, UntilSettled: true}, func(l store.LogRecord) error {
		require.Equal(t, 1, l.Attempt)
		count++
		return nil
	}))
	require.Equal(t, 3, count)
}

// TestNothingIsLostOnABrokenStreamUnsaid: a stream that breaks again and again while the store prunes what was not read
// still comes to the number of lines that were printed.
func TestNothingIsLostOnABrokenStreamUnsaid(t *testing.T) {
	f := startOn(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "api.db"), StepLogLines: 50})
	f.print(1, 0, 40)
	f.cut.Store(2)
	received, missed := 0, 0
	filter := LogFilter{Step: strange, UntilSettled: true, Missed: func(m wire.Missed) error {
		missed += m.Lines
		return nil
	}}
	require.NoError(t, f.api.FollowLogs(t.Context(), "notes", filter, func(l store.LogRecord) error {
		if received++; received == 5 {
			f.print(1, 40, 400) // what comes next is gone by the time the stream is taken up again
			f.cut.Store(0)
		}
		require.Equal(t, l.Number, received+missed-1)
		return nil
	}))
	require.Equal(t, 440, received+missed)
	require.Greater(t, missed, 300)
	require.Greater(t, f.opens.Load(), int32(1), "the stream broke")
}

func TestRunnersAndHealth(t *testing.T) {
	f := start(t)
	f.options.Runners = func() []event.Alive { return []event.Alive{{Name: "rack-4", Pools: []string{"eu"}, Time: began}} }
	f.options.Pools = func() []string { return []string{"us"} }
	server, err := api.New(f.options)
	require.NoError(t, err)
	other := f.serve(server)
	list, err := other.Runners(t.Context())
	require.NoError(t, err)
	require.Equal(t, "rack-4", list[0].Name)
	require.True(t, began.Equal(list[0].LastHeard))
	health, err := other.Health(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"us"}, health.PoolsWithoutRunners)
	detail, err := other.EnvironmentDetail(t.Context(), "notes")
	require.NoError(t, err)
	require.Equal(t, "notes", detail.Name)
	require.NotNil(t, detail.Waiting)
	require.WithinDuration(t, began, detail.CreatedAt, time.Second)
}
