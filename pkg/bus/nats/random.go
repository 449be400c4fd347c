package nats

import (
	"context"
	"math/rand/v2"
	"time"
)

// jitter is up to d, so that those who wait for the same thing do not ask at the same moment.
func jitter(d time.Duration) time.Duration { return rand.N(d + 1) }

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
