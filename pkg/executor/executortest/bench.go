package executortest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// bench is an executor with the folders of one step, and what runner and server do for it: it keeps outputs and state.
type bench struct {
	executor.Executor
	dir     string // of all that belongs to the test
	request executor.Request
	log     *Log
	outputs json.RawMessage // sealed where they are sensitive
	applied json.RawMessage // the inputs of the last successful apply
}

// bench has its executor and folders below dir.
func (s Suite) bench(t *testing.T, dir string, inputs json.RawMessage) *bench {
	t.Helper()
	work := filepath.Join(dir, "work")
	require.NoError(t, os.MkdirAll(work, 0o700))
	log := &Log{}
	return &bench{Executor: s.New(t, dir), dir: dir, log: log, request: executor.Request{
		TaskRef: event.TaskRef{Environment: "suite-" + sum(dir), Operation: "op-1", Step: `sample.kind.name["a/b"]`, Attempt: 1, Epoch: 1},
		Inputs:  inputs,
		Bundle:  s.Bundle,
		WorkDir: work,
		Log:     log.Add,
	}}
}

// elsewhere is the same step on another runner: with nothing of the first but what the server keeps.
func (s Suite) elsewhere(t *testing.T, b *bench) *bench {
	t.Helper()
	dir := t.TempDir()
	other := *b
	other.Executor = s.New(t, dir)
	other.request.WorkDir = filepath.Join(dir, "work")
	require.NoError(t, os.MkdirAll(other.request.WorkDir, 0o700))
	return &other
}

// looking is the request of a Plan or an Observe.
func (b *bench) looking(t *testing.T) executor.Request {
	t.Helper()
	r := b.request
	var err error
	r.State, err = b.state(r.Step)
	require.NoError(t, err)
	if b.outputs != nil {
		var found []string
		r.Outputs, found, err = box().Open(b.outputs)
		require.NoError(t, err)
		r.Secrets = append(slices.Clone(r.Secrets), found...)
	}
	return r
}

// next is the request of the following attempt; plan is what it shall carry out, nil for none.
func (b *bench) next(t *testing.T, plan []byte) executor.Request {
	t.Helper()
	b.request.Attempt++
	r := b.looking(t)
	r.Plan, r.SaveState = plan, b.saver(r.Step)
	return r
}

// apply succeeds, and keeps the outputs for the next request, as the server does.
func (b *bench) apply(t *testing.T, plan []byte) executor.Outputs {
	t.Helper()
	outputs, err := b.Apply(t.Context(), b.next(t, plan))
	require.NoError(t, err)
	b.keep(t, outputs)
	return outputs
}

func (b *bench) keep(t *testing.T, outputs executor.Outputs) {
	t.Helper()
	values := make(map[string]json.RawMessage, len(outputs))
	for name, o := range outputs {
		require.True(t, json.Valid(o.Value), "output %s is JSON", name)
		if values[name] = o.Value; o.Sensitive {
			values[name] = box().Seal(o.Value)
		}
	}
	var err error
	b.outputs, err = json.Marshal(values)
	require.NoError(t, err)
	b.applied = b.request.Inputs
}

// destroy succeeds, and forgets the outputs.
func (b *bench) destroy(t *testing.T) {
	t.Helper()
	require.NoError(t, b.Destroy(t.Context(), b.next(t, nil)))
	b.outputs, b.applied = nil, nil
}

// plan says what the verb would change.
func (b *bench) plan(t *testing.T, verb event.Verb) executor.Plan {
	t.Helper()
	plan, err := b.Plan(t.Context(), b.looking(t), verb)
	require.NoError(t, err)
	b.requireReadable(t, plan.Plan)
	b.requireReadable(t, plan.Differences)
	return plan
}

// observe looks at what was applied last, or would be now.
func (b *bench) observe(t *testing.T) event.Observation {
	t.Helper()
	r := b.looking(t)
	r.Unknown, r.Adopt = nil, nil
	if b.applied != nil {
		r.Inputs = b.applied
	}
	found, err := b.Observe(t.Context(), r)
	require.NoError(t, err)
	b.requireReadable(t, found.Differences)
	return found
}

// The state of a step is a file, which a child of the test shares, sealed as the server's is.

func (b *bench) stateFile(step string) string { return filepath.Join(b.dir, "state-"+sum(step)) }

func (b *bench) state(step string) ([]byte, error) {
	text, err := os.ReadFile(b.stateFile(step))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return box().OpenBytes(string(text))
}

func (b *bench) saver(step string) func(context.Context, []byte) error {
	var mu sync.Mutex
	file := b.stateFile(step)
	return func(ctx context.Context, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err
		}
		if data == nil {
			err := os.Remove(file)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		fresh := file + ".new"
		if err := os.WriteFile(fresh, []byte(box().SealBytes(data)), 0o600); err != nil {
			return err
		}
		return os.Rename(fresh, file)
	}
}

// box is the cluster's, which the child shares.
func box() *secret.Box {
	b, err := secret.NewBox([]byte(strings.Repeat("s", secret.KeySize)))
	if err != nil {
		panic(err) // the key has its size
	}
	return b
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:6])
}
