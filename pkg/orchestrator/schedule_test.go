package orchestrator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestSchedulesThatCantBeRead(t *testing.T) {
	now := time.Now()
	for says, s := range map[string]event.Schedule{
		"only one":     {DestroyAt: &now, Extend: "1h"},
		"\"lifetime\"": {Lifetime: "-1h"},
		"\"extend\"":   {Extend: "tomorrow"},
		"\"hours\"":    {Hours: &event.Hours{Up: "0 8 * * *"}},
		"\"drift\"":    {Drift: &event.DriftPolicy{Policy: "hope"}},
	} {
		err := checkSchedule(s, "", now)
		require.True(t, fault.Is(err, fault.Invalid), says)
		require.ErrorContains(t, err, says)
	}
	require.NoError(t, checkSchedule(event.Schedule{Extend: "-1h"}, "", now))
	require.NoError(t, checkSchedule(event.Schedule{}, "", now))
	require.ErrorContains(t, checkCreate(event.Create{Templates: []string{"a"}, DestroyAt: &now, Lifetime: "1h"}, "", now), "only one")
	require.ErrorContains(t, checkUpdate(event.Update{Lifetime: "x"}, "", now), "lifetime")
}
