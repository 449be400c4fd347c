package replicas

import (
	"context"
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Target is what one call of an executor does with a block, by what a target can do with a replica.
type Target[R Replica] struct {
	Request executor.Request
	Block   container.Block
	// Compare says in what a replica is other than the block wants; none is as wanted, running or not. imageID is that of the image
	// that it should be of, "" to leave that aside.
	Compare func(ctx context.Context, f R, imageID string) ([]event.Difference, error)
	// Healthy waits until a replica is; fresh ones were started just now. The error is container.Unhealthy when it does not get so.
	Healthy func(ctx context.Context, f R, fresh bool) error
	// Replace makes a new one, and removes those that are there.
	Replace func(ctx context.Context, n int, s Sorted[R]) error
	Remove  func(context.Context, R) error
	// Drift is what else is other than it was left, of one that is there.
	Drift func(context.Context, R) []event.Difference
	// Left are the things of the step that are there, replicas and all else.
	Left func(context.Context) ([]string, error)
}

// Sorted are the attempts at one replica: the one that is as wanted, nil for none, and the others.
type Sorted[R Replica] struct {
	Current *R
	// Twins are as wanted too, but do not run; Others are not as wanted. Both the newest first, as they were listed.
	Twins, Others []R
}

// Converge brings one replica after the other to what the block asks for, and then removes those that are too many. all are those that are
// there, the newest first.
func (t Target[R]) Converge(ctx context.Context, all []R, imageID string) error {
	for n := 1; n <= t.Block.Replicas; n++ {
		Progress(t.Request, fmt.Sprintf("replica %d", n), n-1, t.Block.Replicas)
		mine := slices.DeleteFunc(slices.Clone(all), func(f R) bool { return f.Number() != n })
		if err := t.replica(ctx, n, mine, imageID); err != nil {
			return err
		}
	}
	for _, f := range all {
		if f.Number() < 1 || f.Number() > t.Block.Replicas {
			if err := t.Remove(ctx, f); err != nil {
				return err
			}
		}
	}
	Progress(t.Request, "all replicas are there", t.Block.Replicas, t.Block.Replicas)
	return nil
}

// replica sees to one replica: what is there and well stays; else a new one is made, and the old one goes when the new one is healthy.
func (t Target[R]) replica(ctx context.Context, n int, mine []R, imageID string) error {
	s, err := t.sort(ctx, mine, imageID)
	if err != nil {
		return err
	}
	if s.Current != nil {
		sick := t.Healthy(ctx, *s.Current, false)
		if sick == nil {
			return Each(ctx, append(s.Twins, s.Others...), t.Remove)
		}
		if ctx.Err() != nil || !fault.Is(sick, container.Unhealthy) {
			return sick
		}
		Say(t.Request, "%s is not healthy, and is replaced", (*s.Current).Called())
		s.Twins = append(s.Twins, *s.Current)
	}
	return t.Replace(ctx, n, s)
}

func (t Target[R]) sort(ctx context.Context, mine []R, imageID string) (s Sorted[R], err error) {
	for _, f := range mine {
		differences, err := t.Compare(ctx, f, imageID)
		switch {
		case err != nil:
			return s, err
		case len(differences) > 0:
			s.Others = append(s.Others, f)
		case s.Current == nil && f.AsItShouldBe(t.Block):
			s.Current = &f
		default:
			s.Twins = append(s.Twins, f)
		}
	}
	return s, nil
}
