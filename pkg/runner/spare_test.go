package runner

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestWhatMayNotBeDestroyedIsNotReplaced(t *testing.T) {
	var change event.Change
	var applied *executor.Request
	x := funcs{
		plan: func(r executor.Request, verb event.Verb) (executor.Plan, error) {
			require.Equal(t, event.Apply, verb)
			require.Nil(t, r.SaveState)
			return executor.Plan{Saved: []byte("this"), Plan: event.Plan{Change: change, Differences: []event.Difference{{Path: "disk", Change: change}}}}, nil
		},
		apply: func(_ context.Context, r executor.Request) (executor.Outputs, error) {
			applied = &r
			return nil, nil
		},
	}
	for _, c := range event.Changes() {
		change, applied = c, nil
		inBubble(t, x, func(t *testing.T, g *rig) {
			g.offer(task(func(t *event.Task) { t.PreventDestroy = true }))
			r := g.result()
			if c == event.ChangeReplace || c == event.ChangeDestroy {
				require.Equal(t, fault.Protected, r.Error.Code)
				require.Contains(t, r.Error.Message, string(c)+" it: disk")
				require.Nil(t, applied)
				return
			}
			require.Nil(t, r.Error)
			require.Equal(t, []byte("this"), applied.Plan)
			require.NotNil(t, applied.SaveState)
		})
	}
}
