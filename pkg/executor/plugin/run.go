package plugin

import (
	"context"
	"errors"
	"io"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// heard is one message of the plugin's, or why there are no more.
type heard struct {
	message *wire.FromPlugin
	err     error
}

// run does one thing, and returns once the plugin has ended its work, or was killed because it did not.
func (p *Plugin) run(ctx context.Context, verb wire.Start_Verb, r executor.Request) (*wire.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	process, calls, err := p.running()
	if err != nil {
		return nil, fault.From(err)
	}
	defer p.printed.hold(r)()
	// The stream outlives the context: who is cancelled still has to say that it has ended.
	streamContext, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	stream, err := calls.Run(streamContext)
	if err != nil {
		return nil, p.broken(ctx, process, r, err)
	}
	c := &call{Plugin: p, process: process, r: r, stream: stream, heard: make(chan heard)}
	go c.listen(streamContext)
	start := &wire.ToPlugin{Message: &wire.ToPlugin_Start{Start: &wire.Start{Verb: verb, Request: toRequest(r)}}}
	if err := stream.Send(start); err != nil && !errors.Is(err, io.EOF) { // why it ended, listen is told
		return nil, p.broken(ctx, process, r, err)
	}
	return c.follow(ctx)
}

// call is one run on the runner's side.
type call struct {
	*Plugin
	process *goplugin.Client
	r       executor.Request
	stream  interface {
		Send(*wire.ToPlugin) error
		Recv() (*wire.FromPlugin, error)
	}
	heard chan heard
}

func (c *call) listen(ctx context.Context) {
	for {
		m, err := c.stream.Recv()
		select {
		case c.heard <- heard{m, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *call) follow(ctx context.Context) (*wire.Answer, error) {
	cancelled := ctx.Done()
	var grace <-chan time.Time
	for {
		select {
		case h := <-c.heard:
			if h.err != nil {
				return nil, c.broken(ctx, c.process, c.r, h.err)
			}
			if answer := h.message.GetAnswer(); answer != nil {
				return answer, c.outcome(ctx, answer)
			}
			c.take(ctx, h.message)
		case <-cancelled:
			cancelled = nil
			timer := time.NewTimer(c.options.Grace)
			defer timer.Stop()
			grace = timer.C
			_ = c.stream.Send(&wire.ToPlugin{Message: &wire.ToPlugin_Cancel{
				Cancel: &wire.Cancel{Timeout: errors.Is(ctx.Err(), context.DeadlineExceeded)},
			}})
		case <-grace:
			return nil, c.hangs(ctx)
		}
	}
}

// outcome is the answer's fault; work that was cancelled failed for that.
func (c *call) outcome(ctx context.Context, answer *wire.Answer) error {
	err := fromFault(c.r, answer.GetFault())
	if err != nil && ctx.Err() != nil {
		return fault.From(ctx.Err())
	}
	return err
}

func (c *call) take(ctx context.Context, m *wire.FromPlugin) {
	switch m := m.GetMessage().(type) {
	case *wire.FromPlugin_Line:
		if c.r.Log != nil {
			c.r.Log(m.Line.GetStream(), c.r.Mask(m.Line.GetText()))
		}
	case *wire.FromPlugin_Progress:
		if c.r.Progress != nil {
			c.r.Progress(event.Progress{Message: m.Progress.GetMessage(), Done: int(m.Progress.GetDone()), Total: int(m.Progress.GetTotal())})
		}
	case *wire.FromPlugin_SaveState:
		err := c.save(ctx, m.SaveState)
		_ = c.stream.Send(&wire.ToPlugin{Message: &wire.ToPlugin_StateSaved{
			StateSaved: &wire.StateSaved{Id: m.SaveState.GetId(), Fault: toFault(err)},
		}})
	}
}

func (c *call) save(ctx context.Context, s *wire.SaveState) error {
	if c.r.SaveState == nil {
		return fault.New(fault.GiveUp, fault.Invalid, "no state is kept here: only an apply and a destroy have any")
	}
	data := s.Data
	if data != nil && len(data) == 0 {
		data = []byte{}
	}
	return c.r.SaveState(ctx, data)
}

// hangs kills a plugin that goes on although its work is cancelled; what else it works on is repeated.
func (c *call) hangs(ctx context.Context) error {
	c.drop(c.process)
	f := fault.From(ctx.Err())
	c.options.Log.Warn("a plugin was killed, because it did not end its work when it was cancelled", "plugin", c.name(), "step", c.r.Step, "grace", c.options.Grace)
	return fault.Wrap(ctx.Err(), f.Disposition, f.Code,
		"%s: the plugin %s did not end its work on %s within %s, so it was killed; the next task finds it started again", f.Message, c.name(), c.r.Step, c.options.Grace)
}

// broken tells why a stream ended before there was an answer.
func (p *Plugin) broken(ctx context.Context, process *goplugin.Client, r executor.Request, err error) error {
	switch code := status.Code(err); {
	case ctx.Err() != nil:
		p.drop(process)
		return fault.From(ctx.Err())
	case code == codes.Unimplemented:
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
			"the plugin %s does not know what was asked of it for %s: build it anew for this version of Vivarium", p.name(), r.Step)
	case code == codes.ResourceExhausted:
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
			"the plugin %s and the runner tell each other more than %d MiB at once for %s: keep less in the outputs or the state", p.name(), maxMessage>>20, r.Step)
	case errors.Is(err, io.EOF):
		return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "the plugin %s ended its work on %s without an answer: tell its author", p.name(), r.Step)
	}
	p.drop(process)
	return fault.Wrap(err, fault.Retry, fault.ExecutorFailed,
		"the plugin %s ended in the middle of its work on %s; what it printed last is in the runner's log, and the next task finds it started again", p.name(), r.Step)
}
