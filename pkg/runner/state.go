package runner

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// plainState bounds a state before it is packed, in bytes.
const plainState = 256 << 20

// errLost is what SaveState says to an attempt that is not, or may not be, the one under way any more.
var errLost = fault.New(fault.Wait, fault.Busy, "another attempt has taken the step over, or is about to")

// saves is what the executor of a job saves. One save at a time, so that they arrive in their order.
type saves struct {
	// turn holds a token while nobody saves; a channel, since it may be waited for as long as the broker is away.
	turn   chan struct{}
	number int
	over   bool
	// last is what was saved last, whether the server has taken it or not; valid once any is true.
	last []byte
	any  bool
	// handed: an attempt that waits in this runner goes on from last. lost: so may one elsewhere.
	handed, lost atomic.Bool
}

// close takes no more saves, and waits for the one that is under way: what comes behind has to find it done.
func (s *saves) close() {
	<-s.turn
	s.over = true
	s.turn <- struct{}{}
}

func newSaves() *saves {
	s := &saves{turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// saveState is executor.Request.SaveState. The context that it is called with only says for whom: a state is sent until
// the broker has it, as a result is.
func (w *worker) saveState(_ context.Context, data []byte) error {
	s := w.job.saves
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	if s.over {
		return fault.New(fault.GiveUp, fault.Invalid, "the state of %s was saved after the work had ended", w.task.Step)
	}
	text, err := sealState(w.box, w.task.TaskRef, data)
	if err != nil {
		return err
	}
	s.last, s.any = nil, true
	if len(data) > 0 {
		s.last = slices.Clone(data)
	}
	if s.handed.Load() {
		return errLost
	}
	s.number++
	if err := w.sendState(event.State{TaskRef: w.task.TaskRef, Runner: w.runner.id, Number: s.number, Data: text}); err != nil {
		return err
	}
	if s.handed.Load() || s.lost.Load() {
		return errLost // it was said to the server all the same, which knows whose the step is
	}
	return nil
}

func (w *worker) sendState(state event.State) error {
	r := w.runner
	m := r.about(w.task, w.job.cause, event.TaskState, state)
	var at time.Time
	err := resilience.Do(r.sending, persist, func(ctx context.Context) error {
		at = time.Now()
		return r.send(ctx, m)
	})
	switch e := fault.From(err); {
	case err == nil:
		r.heard([]*job{w.job}, at)
		return nil
	case e.Disposition == fault.Reject:
		return tooLarge(err, w.task.Step, len(state.Data), e.Message)
	default:
		return fault.Wrap(err, fault.Retry, fault.RunnerLost, "the runner was stopped before the server had the state of %s", w.task.Step)
	}
}

// adopt opens what the attempt before saved: the state that came with the task, or a newer one of an attempt that this
// runner itself had to let go of. That one the server has refused or not got, so it is saved again under this attempt.
func (w *worker) adopt() error {
	before := w.job.before
	w.job.before = nil // or attempts that follow each other here would all keep their states
	if before == nil || !before.saves.handed.Load() || !before.saves.any {
		var err error
		w.state, err = OpenState(w.box, w.task.TaskRef, w.task.State)
		return err
	}
	w.state = before.saves.last
	if err := w.saveState(context.Background(), w.state); err != nil && !fault.Is(err, fault.Busy) {
		return err
	}
	return nil
}

// afterwards is the request for a look at what was done.
func (w *worker) afterwards(request executor.Request) executor.Request {
	s := w.job.saves
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	if s.any {
		request.State = s.last
	}
	request.SaveState = nil
	return request
}

// placeOf is where a state belongs, for the seal: the environment's name has no NUL in it.
func placeOf(ref event.TaskRef) []string { return []string{"state", ref.Environment, ref.Step} }

// sealState packs a state; no data gives no text.
func sealState(box *secret.Box, ref event.TaskRef, data []byte) (string, error) {
	if len(data) == 0 {
		return "", nil
	}
	if len(data) > plainState {
		return "", tooLarge(nil, ref.Step, len(data), fmt.Sprintf("%d are possible before it is packed", plainState))
	}
	text := box.SealFor(zipped(data), placeOf(ref)...)
	if len(text) > event.MaxState {
		return "", tooLarge(nil, ref.Step, len(text), fmt.Sprintf("%d are possible", event.MaxState))
	}
	return text, nil
}

func tooLarge(cause error, step string, size int, limit string) error {
	return fault.Wrap(cause, fault.GiveUp, fault.Invalid,
		"the state of %s can't be kept: it has %d bytes, packed and sealed, and %s; split the step into smaller ones, or keep its state in a backend of your own", step, size, limit)
}

// OpenState unpacks what an executor saved (event.State.Data); nothing is nil. ref names the environment, and the step by its identity.
func OpenState(box *secret.Box, ref event.TaskRef, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	packed, err := box.OpenFor(text, placeOf(ref)...)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable,
			"the state of %s can't be opened: it was altered, or sealed with another cluster's key or for another step; restore the store from a backup", ref.Step)
	}
	data, err := unzipped(packed)
	if err != nil || len(data) > plainState {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the state of %s is not what a runner has packed; is this runner older than the one that did?", ref.Step)
	}
	return data, nil
}

func zipped(data []byte) []byte {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(data) // into memory: nothing can fail
	_ = zip.Close()
	return packed.Bytes()
}

// unzipped returns no more than a byte beyond plainState.
func unzipped(packed []byte) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(zip, plainState+1))
}
