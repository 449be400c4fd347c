package runner

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// trackless is an executor whose resources leave nothing in the world.
type trackless struct{ funcs }

func (trackless) Traceless() {}

// TestADestroyThatNeedsNoProof is over though nobody answers any more; one that finds something is not.
func TestADestroyThatNeedsNoProof(t *testing.T) {
	for name, c := range map[string]struct {
		found event.Presence
		err   error
		code  fault.Code
	}{
		"nobody answers": {"", errors.New("gone"), ""},
		"can't be told":  {event.PresenceUnknown, nil, ""},
		"it is there":    {event.Present, nil, fault.OrphanSuspected},
	} {
		t.Run(name, func(t *testing.T) {
			x := trackless{funcs{name: "x", observe: func(context.Context, executor.Request) (event.Presence, error) { return c.found, c.err }}}
			inBubble(t, x.funcs, func(t *testing.T, g *rig) {
				offered := task()
				offered.Verb, offered.Executor = event.Destruct, "x"
				g.offer(offered)
				r := g.result()
				if c.code == "" {
					require.Nil(t, r.Error)
					return
				}
				require.True(t, fault.Is(r.Error, c.code), "%v", r.Error)
			}, func(o *Options) { o.Executors = []executor.Executor{x} })
		})
	}
}
