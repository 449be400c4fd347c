package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	dcontainer "github.com/moby/moby/api/types/container"

	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// poll is how often a container is looked at.
const poll = 100 * time.Millisecond

// gate is the way of one container to being healthy.
type gate struct {
	replicas.Gate
	*work
	restarts int // it had before
	started  string
	since    time.Time // it runs, by our clock
}

// healthy waits until the container is. What a fresh one prints goes to the log meanwhile.
func (w *work) healthy(ctx context.Context, f found, fresh bool) error {
	g := &gate{work: w, restarts: f.RestartCount, Gate: replicas.Gate{
		Request: w.r, Block: w.block, What: "container", Replica: f, Fresh: fresh, Poll: poll, Tail: func() []string { return w.tail(ctx, f) },
	}}
	if fresh {
		defer w.echo(ctx, f)()
	} else if started, err := time.Parse(time.RFC3339Nano, f.State.StartedAt); err == nil {
		g.Age = time.Since(started)
	}
	return g.Pass(ctx, func(ctx context.Context) (replicas.Verdict, error) { return g.look(ctx, f.ID) })
}

func (g *gate) look(ctx context.Context, id string) (replicas.Verdict, error) {
	f, there, err := g.inspect(ctx, id)
	switch {
	case err != nil:
		return replicas.NotYet, err
	case !there:
		return g.Still(replicas.Sick, "somebody has removed it")
	case f.completed(g.block):
		return replicas.Well, nil
	case f.RestartCount-g.restarts >= replicas.MaxRestarts:
		return g.Still(replicas.Sick, fmt.Sprintf("it ends again and again, last with code %d", f.State.ExitCode))
	case f.State.Restarting:
		return g.Still(replicas.NotYet, fmt.Sprintf("it ended with code %d and is started again", f.State.ExitCode))
	case !f.State.Running || f.State.Paused:
		return g.Still(replicas.Sick, "it is "+f.Word())
	}
	return g.lookWithin(ctx, f)
}

// lookWithin is for a container that runs.
func (g *gate) lookWithin(ctx context.Context, f found) (replicas.Verdict, error) {
	h := f.State.Health
	switch {
	case h != nil && h.Status == dcontainer.Healthy:
		return replicas.Well, nil
	case h != nil && h.Status != dcontainer.NoHealthcheck && h.Status != "":
		if h.Status == dcontainer.Unhealthy && !g.Fresh {
			return g.Still(replicas.Sick, lastCheck(h))
		}
		return g.Still(replicas.NotYet, lastCheck(h))
	case g.block.Health != nil:
		return g.Ask(ctx, func(ctx context.Context) string { return g.ping(ctx, f) })
	}
	if g.started != f.State.StartedAt {
		g.started, g.since = f.State.StartedAt, time.Now()
	}
	return g.Settle(g.since)
}

// lastCheck is what Docker's own check said last.
func lastCheck(h *dcontainer.Health) string {
	if len(h.Log) == 0 {
		return "its health check has not run yet"
	}
	last := h.Log[len(h.Log)-1]
	return fmt.Sprintf("its health check said (code %d) %q", last.ExitCode, replicas.Cut(strings.TrimSpace(last.Output), replicas.ShownBytes))
}
