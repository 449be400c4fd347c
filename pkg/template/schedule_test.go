package template

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestWhatIsDoneByItself(t *testing.T) {
	tpl, err := compileText(`template "t" {
			version  = "1.0.0"
			lifetime = "72h"
		}
		schedule {
			up       = "0 8 * * 1-5"
			down     = "0 19 * * 1-5"
			timezone = "Europe/Berlin"
		}
		drift {
			interval = "10m"
			policy   = "heal"
		}`)
	require.NoError(t, err)
	require.Equal(t, 72*time.Hour, tpl.Lifetime)
	require.Equal(t, &event.Hours{Up: "0 8 * * 1-5", Down: "0 19 * * 1-5", Timezone: "Europe/Berlin"}, tpl.Standing.Hours)
	require.Equal(t, &event.DriftPolicy{Interval: "10m", Policy: event.DriftHeal}, tpl.Standing.Drift)
	for text, says := range map[string]string{
		`schedule { up = "0 8 * * *" }`:     "up needs a down",
		`schedule { down = "at night" }`:    "no time of a calendar",
		`schedule { downs = "0 19 * * *" }`: "downs",
		"schedule {}\nschedule {}":          "at most one \"schedule\"",
		`drift { policy = "hope" }`:         "report",
		`drift { interval = param.p }`:      "constant",
		"drift {}\ndrift {}":                "at most one \"drift\"",
	} {
		_, err := compileText(head + text)
		requireFault(t, err, fault.InvalidTemplate, says)
	}
	_, err = compileText("template \"t\" {\n version = \"1.0.0\"\n lifetime = \"long\"\n}")
	requireFault(t, err, fault.InvalidTemplate, "72h")
}
