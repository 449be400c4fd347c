package plugin

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// session is one run on the plugin's side.
type session struct {
	stream grpc.BidiStreamingServer[wire.ToPlugin, wire.FromPlugin]
	cancel context.CancelFunc

	mu     sync.Mutex // of Send, and of what follows
	last   uint64
	saving map[uint64]chan error
}

// Run carries out one request, and answers when it is done.
func (s *server) Run(stream grpc.BidiStreamingServer[wire.ToPlugin, wire.FromPlugin]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return status.Error(codes.InvalidArgument, "the first message has to be a start")
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	run := &session{stream: stream, cancel: cancel, saving: map[uint64]chan error{}}
	go run.listen()
	answer := s.answer(ctx, start.GetVerb(), run.request(start))
	return run.send(&wire.FromPlugin{Message: &wire.FromPlugin_Answer{Answer: answer}})
}

func (s *server) answer(ctx context.Context, verb wire.Start_Verb, r executor.Request) *wire.Answer {
	answer := &wire.Answer{}
	var err error
	switch verb {
	case wire.Start_PLAN_APPLY, wire.Start_PLAN_DESTROY:
		v := event.Apply
		if verb == wire.Start_PLAN_DESTROY {
			v = event.Destruct
		}
		var plan executor.Plan
		plan, err = s.executor.Plan(ctx, r, v)
		answer.Plan = toPlan(plan)
	case wire.Start_APPLY:
		var outputs executor.Outputs
		outputs, err = s.executor.Apply(ctx, r)
		answer.Outputs = toOutputs(outputs)
	case wire.Start_DESTROY:
		err = s.executor.Destroy(ctx, r)
	case wire.Start_OBSERVE:
		var found event.Observation
		found, err = s.executor.Observe(ctx, r)
		answer.Observation = &wire.Observation{Presence: string(found.Presence), Drifted: found.Drifted, Differences: toDifferences(found.Differences)}
	default:
		err = fault.New(fault.GiveUp, fault.Invalid, "this plugin does not know what it is asked for: build it anew, with the runner's version")
	}
	answer.Fault = toFault(err)
	return answer
}

func (s *session) request(start *wire.Start) executor.Request {
	r := fromRequest(start.GetRequest())
	r.Log = func(stream, line string) {
		_ = s.send(&wire.FromPlugin{Message: &wire.FromPlugin_Line{Line: &wire.Line{Stream: stream, Text: line}}})
	}
	r.Progress = func(p event.Progress) {
		_ = s.send(&wire.FromPlugin{Message: &wire.FromPlugin_Progress{
			Progress: &wire.Progress{Message: p.Message, Done: int64(p.Done), Total: int64(p.Total)},
		}})
	}
	if v := start.GetVerb(); v == wire.Start_APPLY || v == wire.Start_DESTROY {
		r.SaveState = s.save
	}
	return r
}

func (s *session) send(m *wire.FromPlugin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream.Send(m)
}

// save waits until the host says that the state is durable.
func (s *session) save(ctx context.Context, data []byte) error {
	done := make(chan error, 1)
	s.mu.Lock()
	s.last++
	id := s.last
	s.saving[id] = done
	s.mu.Unlock()
	if err := s.send(&wire.FromPlugin{Message: &wire.FromPlugin_SaveState{SaveState: &wire.SaveState{Id: id, Data: data}}}); err != nil {
		return fault.Wrap(err, fault.Retry, fault.Internal, "the state could not be given to the runner")
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fault.From(ctx.Err())
	case <-s.stream.Context().Done():
		return fault.From(s.stream.Context().Err())
	}
}

// listen takes what the host says until the run is over; a host that is gone has nobody to work for.
func (s *session) listen() {
	defer s.cancel()
	for {
		m, err := s.stream.Recv()
		if err != nil {
			return
		}
		if m.GetCancel() != nil {
			s.cancel()
		}
		if saved := m.GetStateSaved(); saved != nil {
			s.mu.Lock()
			done := s.saving[saved.GetId()]
			delete(s.saving, saved.GetId())
			s.mu.Unlock()
			if done != nil {
				done <- fromFault(executor.Request{}, saved.GetFault())
			}
		}
	}
}
