package replicas

import (
	"context"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// Replica is one that is there.
type Replica interface {
	// Number counts from 1; it is 0 for what has none.
	Number() int
	// Called is its name.
	Called() string
	// Word is how it is, in a few words.
	Word() string
	// AsItShouldBe tells whether it runs, or has done what it was to do once.
	AsItShouldBe(container.Block) bool
}

// nameHash is how much of the fingerprint is in a replica's name: a new one can stand beside the old one.
const nameHash = 8

// Name of a replica: the environment, the resource and the replica's number for people, and what makes it unique.
func Name(r executor.Request, n int, hash string) string {
	return fmt.Sprintf("%s%d-%s", NamePrefix(r), n, hash[:nameHash])
}

// NamePrefix is what the names of all replicas of the step begin with; those of others may, too.
func NamePrefix(r executor.Request) string {
	return container.Slug(r.Environment) + "-" + container.Service(r) + "-"
}

// Say logs a line for people, masked.
func Say(r executor.Request, format string, args ...any) {
	if r.Log != nil {
		r.Log("out", r.Mask(fmt.Sprintf(format, args...)))
	}
}

// Progress tells how far the work is; the message is masked.
func Progress(r executor.Request, message string, done, total int) {
	if r.Progress != nil {
		r.Progress(event.Progress{Message: r.Mask(message), Done: done, Total: total})
	}
}

// Pause waits, or until ctx ends; then that is the error.
func Pause(ctx context.Context, d time.Duration) error {
	if err := resilience.Pause(ctx, d); err != nil {
		return fault.From(err)
	}
	return nil
}

// Each does something with one after the other, until there is an error.
func Each[R any](ctx context.Context, all []R, do func(context.Context, R) error) error {
	for _, f := range all {
		if err := do(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
