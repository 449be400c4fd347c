package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const everyLineIsIn = 1<<64 - 1

func lineAt(id uint64, step string, attempt, number int, at time.Time) store.LogRecord {
	return store.LogRecord{ID: id, Operation: "op", Step: step, Attempt: attempt, Number: number, LogLine: event.LogLine{Time: at}}
}

// TestWhatIsMissingIsCounted: whatever is left out of any number of attempts, and however the rest is mixed up within
// the bounds of disorder, what was received and what was missed are all there was up to the last line received.
func TestWhatIsMissingIsCounted(t *testing.T) {
	now := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		var lines []store.LogRecord
		for step := range rapid.IntRange(1, 3).Draw(t, "steps") {
			for attempt := range rapid.IntRange(1, 3).Draw(t, "attempts") {
				for n := range rapid.IntRange(0, 40).Draw(t, "lines") {
					lines = append(lines, lineAt(0, fmt.Sprint(step), attempt+1, n, now))
				}
			}
		}
		lines = rapid.Permutation(lines).Draw(t, "order")
		kept := lines[:rapid.IntRange(0, len(lines)).Draw(t, "kept")]
		g := newGaps(logPosition{})
		highest := map[attempt]int{}
		missed := map[attempt]int{}
		for i, l := range kept {
			l.ID = uint64(i + 1)
			g.line(l)
			require.Empty(t, g.settled(0, now), "nothing is told before its time")
			key := attempt{l.Operation, l.Step, l.Attempt}
			highest[key] = max(highest[key], l.Number+1)
		}
		for _, m := range g.settled(everyLineIsIn, now) {
			missed[attempt{m.Operation, m.Step, m.Attempt}] += m.Lines
		}
		received := map[attempt]int{}
		for _, l := range kept {
			received[attempt{l.Operation, l.Step, l.Attempt}]++
		}
		for key, written := range highest {
			require.Equal(t, written, received[key]+missed[key], "%+v", key)
		}
		require.Empty(t, g.open)
	})
}

func TestAGapWaitsForWhatComesLate(t *testing.T) {
	now := time.Now()
	g := newGaps(logPosition{})
	g.line(lineAt(1, "a", 1, 0, now))
	g.line(lineAt(2, "a", 1, 5, now))
	require.Empty(t, g.settled(1, now))
	g.line(lineAt(3, "a", 1, 2, now))
	require.Empty(t, g.settled(1, now))
	told := g.settled(2, now)
	require.Len(t, told, 2)
	require.Equal(t, [4]int{told[0].First, told[0].Lines, told[1].First, told[1].Lines}, [4]int{1, 1, 3, 2})
	g.line(lineAt(4, "a", 1, 3, now))
	require.Empty(t, g.settled(everyLineIsIn, now), "one that comes after it was told of changes nothing")

	g.line(lineAt(5, "a", 1, 6+disorder+1, now))
	require.Len(t, g.settled(0, now), 1, "so many are never late")
	g.line(lineAt(6, "b", 1, 3, now.Add(-time.Hour)))
	require.Len(t, g.settled(0, now), 1, "nothing that old comes any more")
}

func TestAStreamThatIsTakenUpAgainCountsFromWhereItWas(t *testing.T) {
	now := time.Now()
	first := func(p logPosition, r store.LogRecord) int {
		g := newGaps(p)
		g.line(r)
		count := 0
		for _, m := range g.settled(everyLineIsIn, now) {
			count += m.Lines
		}
		return count
	}
	require.Equal(t, 7, first(logPosition{}, lineAt(9, "a", 1, 7, now)), "from the beginning")
	require.Zero(t, first(logPosition{id: 3}, lineAt(9, "a", 1, 7, now)), "nobody knows what was read before")
	exact := logPosition{id: 3, exact: true, attempt: 2, number: 4}
	require.Equal(t, 2, first(exact, lineAt(9, "a", 2, 7, now)))
	require.Zero(t, first(exact, lineAt(9, "a", 2, 5, now)))
	require.Equal(t, 3, first(exact, lineAt(9, "a", 3, 3, now)), "a later attempt is read from its beginning")
	require.Equal(t, 2, first(exact, lineAt(9, "a", 2, 2, now)), "the same number of a later operation's attempt")
	require.Zero(t, first(exact, lineAt(9, "a", 1, 3, now)), "an earlier attempt's late line")
}

func TestGapsAreBounded(t *testing.T) {
	now := time.Now()
	g := newGaps(logPosition{})
	for n := range 3 * mostGaps {
		g.line(lineAt(uint64(n+1), "a", 1, 2*n+1, now))
		g.settled(0, now)
		require.LessOrEqual(t, len(g.open), mostGaps)
	}
	for n := range mostAttempts + 10 {
		g.line(lineAt(1, fmt.Sprint(n), 1, 0, now))
		require.LessOrEqual(t, len(g.next), mostAttempts)
	}
}

func TestPositions(t *testing.T) {
	for text, want := range map[string]logPosition{
		"0": {}, "12": {id: 12}, "12-3-4": {id: 12, exact: true, attempt: 3, number: 4}, "18446744073709551615": {id: 1<<64 - 1},
	} {
		got, ok := parsePosition(text)
		require.True(t, ok, text)
		require.Equal(t, want, got)
		require.Regexp(t, positionPattern, text)
	}
	for _, text := range []string{"", "x", "-1", "1-", "1-2", "1-2-", "1-2-3-4", "1-2-99999999999", "18446744073709551616", "1 ", "1--2"} {
		_, ok := parsePosition(text)
		require.False(t, ok, text)
	}
}

// TestWhatRunsIsNotNumberedWithoutGaps: following begins anew at higher numbers.
func TestWhatRunsIsNotNumberedWithoutGaps(t *testing.T) {
	g := newGaps(logPosition{})
	now := time.Now()
	for i, number := range []int{1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000} {
		l := lineAt(uint64(i+1), "a", 0, number, now)
		g.line(l)
		require.Equal(t, fmt.Sprint(i+1), eventID(l, true))
	}
	require.Empty(t, g.settled(everyLineIsIn, now))
}
