package sqlite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func appendLines(t *testing.T, s *Store, name, step string, first, count int) {
	t.Helper()
	l := event.Logs{TaskRef: event.TaskRef{Environment: name, Operation: "o", Step: step}, First: first}
	for n := first; n < first+count; n++ {
		l.Lines = append(l.Lines, event.LogLine{Text: fmt.Sprint(n)})
	}
	require.NoError(t, s.AppendLogs(t.Context(), l))
}

func kept(t *testing.T, s *Store, q store.LogSelection) []store.LogRecord {
	t.Helper()
	q.Limit = 1 << 20
	found, err := s.ReadLogs(t.Context(), q)
	require.NoError(t, err)
	return found
}

// TestLogBounds: of a step and of an environment the newest lines stay, however they arrive.
func TestLogBounds(t *testing.T) {
	for _, size := range []int{1, 7, 100, 5000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := testStore(t, Options{StepLogLines: 100, EnvironmentLogLines: 400})
			steps, lines := 10, 350
			if size == 1 {
				steps, lines = 6, 150 // each line is a transaction
			}
			for _, name := range []string{"a", "b"} {
				for step := range steps {
					for n := 0; n < lines; n += size {
						appendLines(t, s, name, fmt.Sprint(step), n, min(size, lines-n))
					}
					got := kept(t, s, store.LogSelection{Environment: name, Step: fmt.Sprint(step)})
					require.LessOrEqual(t, len(got), 110)
					require.GreaterOrEqual(t, len(got), 90)
					for i, r := range got {
						require.Equal(t, lines-len(got)+i, r.Number, "the newest, without holes")
					}
				}
				all := kept(t, s, store.LogSelection{Environment: name})
				require.LessOrEqual(t, len(all), 440)
				require.GreaterOrEqual(t, len(all), 380)
				require.Empty(t, kept(t, s, store.LogSelection{Environment: name, Step: "0"}), "the oldest step has gone")
			}
			last := kept(t, s, store.LogSelection{Environment: "b"})
			newest := fmt.Sprint(steps - 1)
			appendLines(t, s, "b", newest, lines, 1)
			after := kept(t, s, store.LogSelection{Environment: "b", Step: newest})
			require.Greater(t, after[len(after)-1].ID, last[len(last)-1].ID, "ids are not used again")
		})
	}
}

// TestLogCounts: the counts that pruning goes by are those of the lines, after overlaps and prunings too.
func TestLogCounts(t *testing.T) {
	for _, bound := range []int{250, 100_000} {
		s := testStore(t, Options{StepLogLines: 100, EnvironmentLogLines: bound})
		for i := range 200 {
			appendLines(t, s, "a", fmt.Sprint(i%5), i, 9)
		}
		var steps, environments, chunks int
		require.NoError(t, s.read.QueryRowContext(t.Context(), `SELECT (SELECT sum(lines) FROM log_steps),
			(SELECT sum(lines) FROM log_environments), (SELECT sum(lines) FROM log_chunks)`).Scan(&steps, &environments, &chunks))
		require.Equal(t, chunks, steps)
		require.Equal(t, chunks, environments)
		require.Len(t, kept(t, s, store.LogSelection{Environment: "a"}), chunks)
	}
}
