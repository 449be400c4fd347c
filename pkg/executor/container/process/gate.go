package process

import (
	"context"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// poll is how often a process is looked at.
const poll = 50 * time.Millisecond

// gate is the way of one process to being healthy.
type gate struct {
	replicas.Gate
	*work
	restarts int // it had before
	log      *supervisor.Reader
	tail     []string
}

// healthy waits until the process is. What a fresh one prints goes to the log meanwhile.
func (w *work) healthy(ctx context.Context, f found, fresh bool) error {
	g := &gate{work: w, restarts: f.state.Restarts, log: supervisor.Read(f.folder)}
	if fresh {
		g.restarts = 0
	}
	g.Gate = replicas.Gate{
		Request: w.r, Block: w.block, What: "process", Replica: f, Fresh: fresh, Age: time.Since(f.state.Started), Poll: poll,
		Tail: func() []string { return g.tail },
	}
	defer func() { _ = g.log.Close() }()
	return g.Pass(ctx, func(ctx context.Context) (replicas.Verdict, error) {
		v, err := g.look(ctx, f.name)
		g.echo(f)
		return v, err
	})
}

func (g *gate) look(ctx context.Context, name string) (replicas.Verdict, error) {
	f, there, err := g.work.look(name)
	switch {
	case err != nil:
		return replicas.NotYet, err
	case !there:
		return g.Still(replicas.Sick, "somebody has removed it")
	case f.completed(g.block):
		return replicas.Well, nil
	case f.state.Restarts-g.restarts >= replicas.MaxRestarts:
		return g.Still(replicas.Sick, fmt.Sprintf("it ends again and again, last with code %d%s", f.state.ExitCode, problem(f.state)))
	case f.alive && f.state.Phase == supervisor.Restarting:
		return g.Still(replicas.NotYet, fmt.Sprintf("it ended with code %d and is started again%s", f.state.ExitCode, problem(f.state)))
	case !f.alive || f.state.Phase != supervisor.Running:
		return g.Still(replicas.Sick, "it is "+f.Word())
	case g.block.Health != nil:
		return g.Ask(ctx, func(ctx context.Context) string { return g.ping(ctx, f) })
	}
	return g.Settle(f.state.Started)
}

func problem(s supervisor.State) string {
	if s.Problem == "" {
		return ""
	}
	return ": " + s.Problem
}

// echo logs what the process has printed since the last time, and keeps the end of it.
func (g *gate) echo(f found) {
	_ = g.log.Lines(func(_ time.Time, stream, line string) bool { // what can't be read is not there to be shown
		if g.Fresh && g.r.Log != nil {
			g.r.Log(stream, g.r.Mask(replicas.Prefix(g.block, f)+line))
		}
		if g.tail = append(g.tail, replicas.Cut(line, replicas.ShownBytes)); len(g.tail) > replicas.TailLines {
			g.tail = g.tail[1:]
		}
		return true
	})
}
