package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	dcontainer "github.com/moby/moby/api/types/container"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Unhealthy: a container does not get healthy within its window, or ends again and again.
const Unhealthy fault.Code = "unhealthy"

const (
	// settled is how long a container without a check has to run.
	settled = time.Second
	// maxRestarts is how often Docker may restart a new container before it is given up; that takes about three seconds.
	maxRestarts = 5
	// poll is how often a container is looked at.
	poll = 100 * time.Millisecond
)

func isSick(err error) bool { return fault.Is(err, Unhealthy) }

// verdict is what one look at a container says.
type verdict int

const (
	notYet verdict = iota
	well
	sick
)

// gate is the way of one container to being healthy.
type gate struct {
	*work
	fresh    bool // it was started just now
	restarts int  // it had before
	started  string
	since    time.Time // it runs, by our clock
	asked    time.Time // last probe
	why      string    // it is not healthy yet
}

// healthy waits until the container is. What a fresh one prints goes to the log meanwhile. The error is Unhealthy when it is not
// in time, with the last of what it said.
func (w *work) healthy(ctx context.Context, f found, fresh bool) error {
	g := &gate{work: w, fresh: fresh, restarts: f.RestartCount}
	begin := time.Now()
	end := begin.Add(g.window(f))
	if fresh {
		w.progress(f.called()+" is getting healthy", f.replica()-1, w.block.Replicas)
		defer w.echo(ctx, f)()
	}
	for {
		v, err := g.look(ctx, f.ID)
		switch {
		case err != nil:
			return err
		case v == well:
			if fresh {
				w.say("%s is healthy after %s", f.called(), time.Since(begin).Round(10*time.Millisecond))
			}
			return nil
		case v == sick:
			return w.unhealthy(ctx, f, g.why)
		case time.Now().After(end):
			return w.unhealthy(ctx, f, fmt.Sprintf("%s, %s after its start", g.why, time.Since(begin).Round(time.Second)))
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

// window is how long the container has from now. One that has run for longer has had its time, and gets that of one check.
func (g *gate) window(f found) time.Duration {
	window := time.Duration(g.block.Update.HealthTimeout)
	if g.fresh {
		return window
	}
	if started, err := time.Parse(time.RFC3339Nano, f.State.StartedAt); err == nil {
		window -= time.Since(started)
	}
	if g.block.Health != nil {
		return max(window, time.Duration(g.block.Health.Timeout))
	}
	return max(window, 0)
}

func (g *gate) look(ctx context.Context, id string) (verdict, error) {
	f, there, err := g.inspect(ctx, id)
	switch {
	case err != nil:
		return notYet, err
	case !there:
		return g.still(sick, "somebody has removed it")
	case f.completed(g.block):
		return well, nil
	case f.RestartCount-g.restarts >= maxRestarts:
		return g.still(sick, fmt.Sprintf("it ends again and again, last with code %d", f.State.ExitCode))
	case f.State.Restarting:
		return g.still(notYet, fmt.Sprintf("it ended with code %d and is started again", f.State.ExitCode))
	case !f.State.Running || f.State.Paused:
		return g.still(sick, "it is "+f.state())
	}
	return g.lookWithin(ctx, f)
}

// lookWithin is for a container that runs.
func (g *gate) lookWithin(ctx context.Context, f found) (verdict, error) {
	h := f.State.Health
	switch {
	case h != nil && h.Status == dcontainer.Healthy:
		return well, nil
	case h != nil && h.Status != dcontainer.NoHealthcheck && h.Status != "":
		if h.Status == dcontainer.Unhealthy && !g.fresh {
			return g.still(sick, lastCheck(h))
		}
		return g.still(notYet, lastCheck(h))
	case g.block.Health != nil:
		return g.ask(ctx, f)
	}
	if g.started != f.State.StartedAt {
		g.started, g.since = f.State.StartedAt, time.Now()
	}
	if !g.fresh || time.Since(g.since) >= settled {
		return well, nil
	}
	return g.still(notYet, "it has not run for long enough")
}

// ask probes, though not more often than the block's interval and twice a second.
func (g *gate) ask(ctx context.Context, f found) (verdict, error) {
	if time.Since(g.asked) < min(time.Duration(g.block.Health.Interval), 500*time.Millisecond) {
		return notYet, nil
	}
	g.asked = time.Now()
	why := g.ping(ctx, f)
	if err := ctx.Err(); err != nil {
		return notYet, fault.From(err)
	}
	if why == "" {
		return well, nil
	}
	return g.still(notYet, why)
}

func (g *gate) still(v verdict, why string) (verdict, error) {
	g.why = why
	return v, nil
}

// lastCheck is what Docker's own check said last.
func lastCheck(h *dcontainer.Health) string {
	if len(h.Log) == 0 {
		return "its health check has not run yet"
	}
	last := h.Log[len(h.Log)-1]
	return fmt.Sprintf("its health check said (code %d) %q", last.ExitCode, cut(strings.TrimSpace(last.Output), shownBytes))
}

// unhealthy is the error, with the end of what the container printed.
func (w *work) unhealthy(ctx context.Context, f found, why string) error {
	message := fmt.Sprintf("the container %s of %s is not healthy: %s", f.called(), w.r.Step, why)
	if lines := w.tail(ctx, f); len(lines) > 0 {
		message += "; the last that it printed: " + strings.Join(lines, " | ")
	}
	return fault.New(fault.GiveUp, Unhealthy, "%s", w.r.Mask(message))
}
