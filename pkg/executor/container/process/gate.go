package process

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Unhealthy: a process does not get healthy within its window, or ends again and again.
const Unhealthy fault.Code = "unhealthy"

const (
	// settled is how long a process without a check has to run.
	settled = time.Second
	// maxRestarts is how often a new process may be started again before it is given up; that takes about three seconds.
	maxRestarts = 5
	// poll is how often a process is looked at.
	poll = 50 * time.Millisecond
	// tailLines is how many lines an error ends with.
	tailLines = 10
)

func isSick(err error) bool { return fault.Is(err, Unhealthy) }

// verdict is what one look at a process says.
type verdict int

const (
	notYet verdict = iota
	well
	sick
)

// gate is the way of one process to being healthy.
type gate struct {
	*work
	fresh    bool // it was started just now
	restarts int  // it had before
	asked    time.Time
	why      string // it is not healthy yet
	log      *supervisor.Reader
	tail     []string
}

// healthy waits until the process is. What a fresh one prints goes to the log meanwhile. The error is Unhealthy when it is not in
// time, with the last of what it said.
func (w *work) healthy(ctx context.Context, f found, fresh bool) error {
	g := &gate{work: w, fresh: fresh, restarts: f.state.Restarts, log: supervisor.Read(f.folder)}
	if fresh {
		g.restarts = 0
		w.progress(f.name+" is getting healthy", f.replica()-1, w.block.Replicas)
	}
	defer func() { _ = g.log.Close() }()
	begin := time.Now()
	end := begin.Add(g.window(f))
	for {
		v, err := g.look(ctx, f)
		g.echo(f)
		switch {
		case err != nil:
			return err
		case v == well:
			if fresh {
				w.say("%s is healthy after %s", f.name, time.Since(begin).Round(10*time.Millisecond))
			}
			return nil
		case v == sick:
			return g.unhealthy(f, g.why)
		case time.Now().After(end):
			return g.unhealthy(f, fmt.Sprintf("%s, %s after its start", g.why, time.Since(begin).Round(time.Second)))
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

// window is how long the process has from now. One that has run for longer has had its time, and gets that of one check.
func (g *gate) window(f found) time.Duration {
	window := time.Duration(g.block.Update.HealthTimeout)
	if g.fresh {
		return window
	}
	window -= time.Since(f.state.Started)
	if g.block.Health != nil {
		return max(window, time.Duration(g.block.Health.Timeout))
	}
	return max(window, 0)
}

func (g *gate) look(ctx context.Context, f found) (verdict, error) {
	f, there, err := g.work.look(f.name)
	switch {
	case err != nil:
		return notYet, err
	case !there:
		return g.still(sick, "somebody has removed it")
	case f.completed(g.block):
		return well, nil
	case f.state.Restarts-g.restarts >= maxRestarts:
		return g.still(sick, fmt.Sprintf("it ends again and again, last with code %d%s", f.state.ExitCode, problem(f.state)))
	case f.alive && f.state.Phase == supervisor.Restarting:
		return g.still(notYet, fmt.Sprintf("it ended with code %d and is started again%s", f.state.ExitCode, problem(f.state)))
	case !f.alive || f.state.Phase != supervisor.Running:
		return g.still(sick, "it is "+f.stateWord())
	case g.block.Health != nil:
		return g.ask(ctx, f)
	case !g.fresh || time.Since(f.state.Started) >= settled:
		return well, nil
	}
	return g.still(notYet, "it has not run for long enough")
}

func problem(s supervisor.State) string {
	if s.Problem == "" {
		return ""
	}
	return ": " + s.Problem
}

// ask checks, though not more often than the block's interval and twice a second.
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

// echo logs what the process has printed since the last time, and keeps the end of it.
func (g *gate) echo(f found) {
	_ = g.log.Lines(func(_ time.Time, stream, line string) bool { // what can't be read is not there to be shown
		if g.fresh && g.r.Log != nil {
			g.r.Log(stream, g.r.Mask(g.prefix(f)+line))
		}
		if g.tail = append(g.tail, cut(line, shownBytes)); len(g.tail) > tailLines {
			g.tail = g.tail[1:]
		}
		return true
	})
}

// prefix tells the replicas apart where there are several.
func (w *work) prefix(f found) string {
	if w.block.Replicas < 2 {
		return ""
	}
	return fmt.Sprintf("[%d] ", f.replica())
}

// unhealthy is the error, with the end of what the process printed.
func (g *gate) unhealthy(f found, why string) error {
	message := fmt.Sprintf("the process %s of %s is not healthy: %s", f.name, g.r.Step, why)
	if len(g.tail) > 0 {
		message += "; the last that it printed: " + strings.Join(g.tail, " | ")
	}
	return fault.New(fault.GiveUp, Unhealthy, "%s", g.r.Mask(message))
}
