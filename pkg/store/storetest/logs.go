package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func task(name, operation, step string, attempt int) event.TaskRef {
	return event.TaskRef{Environment: name, Operation: operation, Step: step, Attempt: attempt, Epoch: 1}
}

// lines of a task, numbered from first on, each with its number as its text.
func lines(ref event.TaskRef, first, count int) event.Logs {
	l := event.Logs{TaskRef: ref, First: first}
	for n := first; n < first+count; n++ {
		l.Lines = append(l.Lines, event.LogLine{Time: start.UTC().Add(time.Duration(n)), Stream: "out", Text: fmt.Sprint(n)})
	}
	return l
}

func readLogs(t *testing.T, s store.Store, q store.LogSelection) []store.LogRecord {
	t.Helper()
	found, err := s.ReadLogs(t.Context(), q)
	require.NoError(t, err)
	for i, r := range found {
		require.Greater(t, r.ID, q.After)
		require.True(t, i == 0 || r.ID > found[i-1].ID, "lines come in the order of their ids")
	}
	return found
}

func texts(records []store.LogRecord) []string {
	found := make([]string, len(records))
	for i, r := range records {
		found[i] = r.Text
	}
	return found
}

// numbers as text, from first on.
func numbers(first, count int) []string {
	found := make([]string, count)
	for i := range found {
		found[i] = fmt.Sprint(first + i)
	}
	return found
}

func testLogs(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.Empty(t, readLogs(t, s, store.LogSelection{Environment: "a"}))
	require.NoError(t, s.AppendLogs(t.Context()))
	require.NoError(t, s.AppendLogs(t.Context(), event.Logs{TaskRef: task("a", "o", "s", 1)}), "no lines are fine")
	l := lines(task("a", "o", "s", 2), 0, 3)
	l.Lines[1].Stream, l.Lines[1].Text = "err", ""
	require.NoError(t, s.AppendLogs(t.Context(), l))
	got := readLogs(t, s, store.LogSelection{Environment: "a"})
	require.Len(t, got, 3)
	for i, r := range got {
		want := store.LogRecord{ID: r.ID, Operation: "o", Step: "s", Attempt: 2, Number: i, LogLine: l.Lines[i]}
		require.True(t, want.Time.Equal(r.Time))
		want.Time, r.Time = time.Time{}, time.Time{}
		require.Equal(t, want, r)
	}
	require.NoError(t, s.AppendLogs(t.Context(), lines(task("a", "o", "s", 2), 3, 2000), lines(task("a", "o", "s", 3), 0, 1)))
	require.Len(t, readLogs(t, s, store.LogSelection{Environment: "a"}), 1000, "no limit takes 1000")
	require.Len(t, readLogs(t, s, store.LogSelection{Environment: "a", Limit: 5000}), 2004)
	require.Empty(t, readLogs(t, s, store.LogSelection{Environment: "b"}))
}

// testLogsTwice: batches come at least once; the lines of an attempt stay once, those of another are others.
func testLogsTwice(t *testing.T, place Reopener) {
	s := opened(t, place)
	one, two := lines(task("a", "o", "s", 1), 0, 600), lines(task("a", "o", "s", 2), 0, 2)
	for range 3 {
		require.NoError(t, s.AppendLogs(t.Context(), one, one, two))
		require.Equal(t, append(numbers(0, 600), numbers(0, 2)...), texts(readLogs(t, s, store.LogSelection{Environment: "a"})))
	}
	for _, ref := range []event.TaskRef{task("b", "o", "s", 1), task("a", "p", "s", 1), task("a", "o", "r", 1)} {
		require.NoError(t, s.AppendLogs(t.Context(), lines(ref, 0, 1)))
		require.Len(t, readLogs(t, s, store.LogSelection{Environment: ref.Environment, Operation: ref.Operation, Step: ref.Step, After: 0})[:1], 1)
	}
	require.Len(t, readLogs(t, s, store.LogSelection{Environment: "a"}), 604)
	require.Len(t, readLogs(t, s, store.LogSelection{Environment: "b"}), 1)
}

// testLogsOverlap: batches that share some lines, in any order.
func testLogsOverlap(t *testing.T, place Reopener) {
	s := opened(t, place)
	ref := task("a", "o", "s", 1)
	for _, part := range [][2]int{{5, 3}, {0, 2}, {1, 6}, {4, 10}, {0, 20}, {300, 300}, {10, 900}, {909, 1}, {0, 910}} {
		require.NoError(t, s.AppendLogs(t.Context(), lines(ref, part[0], part[1])))
	}
	seen := map[int]string{}
	for _, r := range readLogs(t, s, store.LogSelection{Environment: "a"}) {
		require.NotContains(t, seen, r.Number)
		seen[r.Number] = r.Text
	}
	require.Len(t, seen, 910)
	for n, text := range seen {
		require.Equal(t, fmt.Sprint(n), text)
	}
}

func testLogsSelection(t *testing.T, place Reopener) {
	s := opened(t, place)
	x, y, z := task("a", "o1", "x", 1), task("a", "o1", "y", 1), task("a", "o2", "x", 1)
	for n := 0; n < 30; n += 3 {
		require.NoError(t, s.AppendLogs(t.Context(), lines(x, n, 3), lines(y, 100+n, 3), lines(z, 200+n, 3), lines(task("b", "o1", "x", 1), n, 3)))
	}
	for _, q := range []struct {
		selection store.LogSelection
		count     int
	}{
		{store.LogSelection{}, 90}, {store.LogSelection{Operation: "o1"}, 60}, {store.LogSelection{Step: "x"}, 60},
		{store.LogSelection{Operation: "o2", Step: "x"}, 30}, {store.LogSelection{Operation: "o2", Step: "y"}, 0},
		{store.LogSelection{Operation: "o"}, 0}, {store.LogSelection{Step: "%"}, 0},
	} {
		q.selection.Environment = "a"
		whole := readLogs(t, s, q.selection)
		require.Len(t, whole, q.count, "%+v", q.selection)
		var paged []store.LogRecord
		page := q.selection
		for page.Limit = 7; ; page.After = paged[len(paged)-1].ID {
			got := readLogs(t, s, page)
			require.LessOrEqual(t, len(got), 7)
			paged = append(paged, got...)
			if len(got) == 0 {
				break
			}
		}
		require.Equal(t, texts(whole), texts(paged), "%+v", q.selection)
	}
	require.Empty(t, readLogs(t, s, store.LogSelection{Environment: "a", After: 1<<64 - 1}))
}

// testLogsAttempt: an attempt is selected within whatever else is.
func testLogsAttempt(t *testing.T, place Reopener) {
	s := opened(t, place)
	for attempt := 1; attempt <= 3; attempt++ {
		require.NoError(t, s.AppendLogs(t.Context(), lines(task("a", "o", "x", attempt), 0, 300), lines(task("a", "p", "y", attempt), 0, 2)))
	}
	for _, q := range []struct {
		selection store.LogSelection
		count     int
	}{
		{store.LogSelection{}, 302}, {store.LogSelection{Operation: "o"}, 300}, {store.LogSelection{Step: "x"}, 300},
		{store.LogSelection{Operation: "p", Step: "y"}, 2}, {store.LogSelection{Operation: "p", Step: "x"}, 0},
	} {
		q.selection.Environment, q.selection.Attempt = "a", 2
		found := readLogs(t, s, q.selection)
		require.Len(t, found, q.count, "%+v", q.selection)
		for _, r := range found {
			require.Equal(t, 2, r.Attempt)
		}
	}
	require.Empty(t, readLogs(t, s, store.LogSelection{Environment: "a", Attempt: 4}))
}

// testLogsNewest: the last lines come in the order of all others.
func testLogsNewest(t *testing.T, place Reopener) {
	s := opened(t, place)
	for n := 0; n < 900; n += 300 {
		require.NoError(t, s.AppendLogs(t.Context(), lines(task("a", "o", "x", 1), n, 300), lines(task("a", "o", "y", 1), n, 3)))
	}
	for _, q := range []store.LogSelection{{}, {Operation: "o"}, {Step: "x"}, {Operation: "o", Step: "y"}} {
		q.Environment = "a"
		whole := readLogs(t, s, q)
		for _, limit := range []int{1, 4, 299, len(whole), 5000} {
			q.Limit, q.Newest = limit, true
			require.Equal(t, whole[max(0, len(whole)-limit):], readLogs(t, s, q), "%+v", q)
		}
		q.Limit, q.After = 5, whole[len(whole)-3].ID
		require.Equal(t, whole[len(whole)-2:], readLogs(t, s, q), "only what is behind After")
		q.After = whole[len(whole)-1].ID
		require.Empty(t, readLogs(t, s, q))
	}
}

func testLogsRestart(t *testing.T, place Reopener) {
	s := opened(t, place)
	ref := task("a", "o", "s", 1)
	require.NoError(t, s.AppendLogs(t.Context(), lines(ref, 0, 10)))
	before := readLogs(t, s, store.LogSelection{Environment: "a"})
	s = reopened(t, s, place)
	require.NoError(t, s.AppendLogs(t.Context(), lines(ref, 5, 10)))
	after := readLogs(t, s, store.LogSelection{Environment: "a"})
	require.Equal(t, numbers(0, 15), texts(after))
	require.Equal(t, before, after[:10], "ids stay and go on")
}

func testLogsConcurrent(t *testing.T, place Reopener) {
	s, other := opened(t, place), opened(t, place)
	var group sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		group.Go(func() {
			for n := 0; n < 60 && errs[i] == nil; n += 3 {
				handle := s
				if n%2 == 1 {
					handle = other
				}
				errs[i] = handle.AppendLogs(t.Context(), lines(task("a", "o", fmt.Sprint(i), 1), n, 3))
			}
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Len(t, readLogs(t, s, store.LogSelection{Environment: "a", Limit: 10_000}), 16*60)
	for i := range errs {
		require.Equal(t, numbers(0, 60), texts(readLogs(t, other, store.LogSelection{Environment: "a", Step: fmt.Sprint(i)})))
	}
}

// testLogsOfWhatRuns: attempt 0 is what a resource prints, numbered from the milliseconds since 1970, with gaps.
func testLogsOfWhatRuns(t *testing.T, place Reopener) {
	s := opened(t, place)
	ref, first := task("a", "o", "s", 0), int(start.UnixMilli())
	require.NoError(t, s.AppendLogs(t.Context(), lines(task("a", "o", "s", 1), 0, 2)))
	for range 2 {
		require.NoError(t, s.AppendLogs(t.Context(), lines(ref, first, 3)))
		require.NoError(t, s.AppendLogs(t.Context(), lines(ref, first+60_000, 2)))
	}
	all := readLogs(t, s, store.LogSelection{Environment: "a", Step: "s"})
	require.Equal(t, append(append(numbers(0, 2), numbers(first, 3)...), numbers(first+60_000, 2)...), texts(all))
	last := readLogs(t, s, store.LogSelection{Environment: "a", Step: "s", Newest: true, Limit: 1})
	require.Equal(t, all[len(all)-1:], last)
	require.Equal(t, first+60_001, last[0].Number)
	require.True(t, last[0].Time.Equal(start.Add(time.Duration(first+60_001))), "to the nanosecond")
}
