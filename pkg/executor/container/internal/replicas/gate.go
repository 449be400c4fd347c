package replicas

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// settled is how long a replica without a check has to run.
	settled = time.Second
	// MaxRestarts is how often a new replica may be started again before it is given up; that takes about three seconds.
	MaxRestarts = 5
	// TailLines is how many lines an error ends with.
	TailLines = 10
)

// Verdict is what one look at a replica says.
type Verdict int

// Verdicts.
const (
	NotYet Verdict = iota
	Well
	Sick
)

// Gate is the way of one replica to being healthy.
type Gate struct {
	Request executor.Request
	Block   container.Block
	// What it is that gets healthy: "container".
	What    string
	Replica Replica
	// Fresh: it was started just now.
	Fresh bool
	// Age is how long it has run, 0 where nobody knows; that of a fresh one does not count.
	Age time.Duration
	// Poll is how often it is looked at.
	Poll time.Duration
	// Tail gives the last that it printed.
	Tail func() []string

	asked time.Time
	why   string // it is not healthy yet
}

// Pass looks until the replica is healthy. The error is container.Unhealthy when it is not in time or never will be, with the last of what it said.
func (g *Gate) Pass(ctx context.Context, look func(context.Context) (Verdict, error)) error {
	if g.Fresh {
		Progress(g.Request, g.Replica.Called()+" is getting healthy", g.Replica.Number()-1, g.Block.Replicas)
	}
	begin := time.Now()
	end := begin.Add(g.window())
	for {
		v, err := look(ctx)
		switch {
		case err != nil:
			return err
		case v == Well:
			if g.Fresh {
				Say(g.Request, "%s is healthy after %s", g.Replica.Called(), time.Since(begin).Round(10*time.Millisecond))
			}
			return nil
		case v == Sick:
			return g.unhealthy(g.why)
		case time.Now().After(end):
			return g.unhealthy(fmt.Sprintf("%s, %s after its start", g.why, time.Since(begin).Round(time.Second)))
		}
		if err := Pause(ctx, g.Poll); err != nil {
			return err
		}
	}
}

// window is how long the replica has from now. One that has run for longer has had its time, and gets that of one check.
func (g *Gate) window() time.Duration {
	window := time.Duration(g.Block.Update.HealthTimeout)
	if g.Fresh {
		return window
	}
	window -= g.Age
	if g.Block.Health != nil {
		return max(window, time.Duration(g.Block.Health.Timeout))
	}
	return max(window, 0)
}

// Ask checks, though not more often than the block's interval and twice a second.
func (g *Gate) Ask(ctx context.Context, ping func(context.Context) string) (Verdict, error) {
	if time.Since(g.asked) < min(time.Duration(g.Block.Health.Interval), 500*time.Millisecond) {
		return NotYet, nil
	}
	g.asked = time.Now()
	why := ping(ctx)
	if err := ctx.Err(); err != nil {
		return NotYet, fault.From(err)
	}
	if why == "" {
		return Well, nil
	}
	return g.Still(NotYet, why)
}

// Settle is for a replica without a check, which has run since then.
func (g *Gate) Settle(since time.Time) (Verdict, error) {
	if !g.Fresh || time.Since(since) >= settled {
		return Well, nil
	}
	return g.Still(NotYet, "it has not run for long enough")
}

// Still is a verdict with what is wrong.
func (g *Gate) Still(v Verdict, why string) (Verdict, error) {
	g.why = why
	return v, nil
}

func (g *Gate) unhealthy(why string) error {
	message := fmt.Sprintf("the %s %s of %s is not healthy: %s", g.What, g.Replica.Called(), g.Request.Step, why)
	if lines := g.Tail(); len(lines) > 0 {
		message += "; the last that it printed: " + strings.Join(lines, " | ")
	}
	return fault.New(fault.GiveUp, container.Unhealthy, "%s", g.Request.Mask(message))
}
