package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func TestLogsSayWhereLinesAreMissing(t *testing.T) {
	f := newFake(nil)
	n := numbering{missed: f.missedPrinter(true, formatTable)}
	for _, r := range []store.LogRecord{
		{Operation: "o", Step: "a", Attempt: 1, Number: 0}, {Operation: "o", Step: "a", Attempt: 1, Number: 4},
		{Operation: "o", Step: "a", Attempt: 2, Number: 0}, {Operation: "p", Step: "a", Attempt: 1, Number: 0},
		{Operation: "p", Step: "a", Attempt: 1, Number: 2}, {Operation: "p", Step: "a", Attempt: 1, Number: 1},
	} {
		require.NoError(t, n.before(r))
	}
	require.Equal(t, "… 3 lines missed of a\n… 1 line missed of a\n", f.stdout.String())
	f.stdout.Reset()
	require.NoError(t, f.missedPrinter(false, formatJSON)(wire.Missed{Lines: 2, Step: "a"}))
	require.JSONEq(t, `{"missed":{"lines":2,"operation":"","step":"a","attempt":0,"first":0}}`, f.stdout.String())
}

func TestAfterARetry(t *testing.T) {
	require.Equal(t, environment.Destroyed, afterRetry(environment.DestroyFailed))
	require.Equal(t, environment.Deployed, afterRetry(environment.Failed))
}

func TestRunnerTable(t *testing.T) {
	rows := runnerRows([]wire.Runner{
		{Name: "rack-4", Pools: []string{"eu", "us"}, Executors: []string{"terraform"}, Labels: []string{"gpu"}, Concurrency: 8, Running: 3, LastHeard: noon},
		{Name: "rack-5", Leaving: true, Breakers: []event.Breaker{{Target: "vault", Until: noon}}, LastHeard: noon.Add(time.Hour)},
	}, noon.Add(1500*time.Millisecond))
	require.Equal(t, []string{"rack-4", "eu,us", "terraform", "gpu", "3 of 8", "ready", "1.5s ago"}, rows[1])
	require.Equal(t, "leaving; breaker of vault open until "+noon.Local().Format(time.TimeOnly), rows[2][5])
	require.Equal(t, "0.0s ago", rows[2][6], "another machine's clock is ahead")
}
