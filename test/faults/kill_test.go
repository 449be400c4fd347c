package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killMatrix kills a random process at random moments, and starts it again, while environments come and go.
func killMatrix(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(25*time.Minute, 3*time.Minute))
	defer cancel()
	random := newChoice(t)
	c := newCluster(t, ctx, clusterOptions{servers: 2, runners: 2, terraform: true})
	kills, environments := either(100, 8), either(20, 20)
	template := func(i int) string {
		if i%either(5, 10) == 0 {
			return "mixed"
		}
		return "matrix"
	}
	for r.kills < kills {
		r.rounds++
		over := make(chan error, 1)
		prefix := fmt.Sprint("k", r.rounds)
		go func() { over <- c.wave(ctx, prefix, environments, true, template) }()
		require.NoError(t, c.killUntil(ctx, random, over, r, kills))
	}
	c.verify(r, proof{})
}

// killUntil kills until the wave is over, or all kills are done and the wave can end in peace.
func (c *cluster) killUntil(ctx context.Context, random choice, over chan error, r *row, kills int) error {
	all := c.all()
	for {
		select {
		case err := <-over:
			return err
		case <-time.After(random.between(100*time.Millisecond, 1500*time.Millisecond)):
		}
		if r.kills >= kills {
			continue
		}
		victim := all[random.IntN(len(all))]
		victim.kill()
		r.kills++
		pause(ctx, random.between(20*time.Millisecond, 1200*time.Millisecond))
		if err := victim.start(); err != nil {
			return err
		}
	}
}
