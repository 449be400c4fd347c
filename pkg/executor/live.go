package executor

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Meter is what an Executor may be besides: it tells what a resource uses now. Nothing being there is usage without
// replicas.
type Meter interface {
	Usage(ctx context.Context, r Request) (event.Usage, error)
}

// Follower is what an Executor may be besides: it has what a resource prints, after its Apply as well.
type Follower interface {
	// Follow gives the lines since a time (the zero time is from the beginning), and then those that come, until ctx ends (its
	// error is nil then) or the target is lost. Replicas that come later are followed too. Lines are given one at a time, with
	// the time at which the target took them and "out" or "err" as stream; those of one replica in order. They are as the
	// program wrote them: who takes them masks and bounds them.
	Follow(ctx context.Context, r Request, since time.Time, line func(at time.Time, stream, line string)) error
}

// Restarter is what an Executor may be besides: it starts anew what a resource runs, as it is, with all that it has stored. It returns once that is begun;
// that nothing is there is no error.
type Restarter interface {
	Restart(ctx context.Context, r Request) error
}
