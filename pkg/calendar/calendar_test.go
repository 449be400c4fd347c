package calendar

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return moment.UTC()
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ expression, zone, after, next string }{
		{"0 8 * * 1-5", "", "2026-11-27T08:00:00Z", "2026-11-30T08:00:00Z"},
		{"0 8 * * 1-5", "Europe/Berlin", "2026-11-27T06:59:59Z", "2026-11-27T07:00:00Z"},
		{"0 8 * * *", "Europe/Berlin", "2026-03-28T08:00:00Z", "2026-03-29T06:00:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", "2026-03-30T00:30:00Z"}, // there is no 02:30 on the 29th
		{"@daily", "America/New_York", "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"},
	} {
		next, err := Next(c.expression, c.zone, at(t, c.after))
		require.NoError(t, err)
		require.Equal(t, at(t, c.next), next, c.expression)
	}
}

func TestATimeThatComesTwiceHappensTwice(t *testing.T) {
	first, err := Next("30 2 * * *", "Europe/Berlin", at(t, "2026-10-24T12:00:00Z"))
	require.NoError(t, err)
	second, err := Next("30 2 * * *", "Europe/Berlin", first)
	require.NoError(t, err)
	require.Equal(t, time.Hour, second.Sub(first))
}

func TestLast(t *testing.T) {
	first := at(t, "2026-11-02T19:00:00Z")
	require.Equal(t, first, Last("0 19 * * 1-5", "", first, at(t, "2026-11-02T20:00:00Z")))
	require.Equal(t, at(t, "2026-11-06T19:00:00Z"), Last("0 19 * * 1-5", "", first, at(t, "2026-11-08T20:00:00Z")))
	require.Equal(t, at(t, "2036-11-07T19:00:00Z"), Last("0 19 * * 1-5", "", first, at(t, "2036-11-09T20:00:00Z")), "after years it is not counted through")
	require.Equal(t, at(t, "2036-01-01T00:00:00Z"), Last("@yearly", "", at(t, "2027-01-01T00:00:00Z"), at(t, "2036-11-09T20:00:00Z")))
}

func TestWhatIsNoTime(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""}, {"0 8 * *", ""}, {"61 8 * * *", ""}, {"@every 1h", ""}, {"TZ=Europe/Berlin 0 8 * * *", ""}, {"0 0 30 2 *", ""},
		{"0 8 * * *", "Middle/Earth"}, {"0 8 * * *", "Local"},
	} {
		require.Error(t, Check(c[0], c[1]), c)
	}
	require.NoError(t, Check("*/5 8-18 * * 1-5", "Europe/Berlin"))
}
