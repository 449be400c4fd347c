package executortest

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (s Suite) kind(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	kind := b.Kind()
	require.NotEmpty(t, kind.Name)
	for _, name := range kind.Static {
		require.Contains(t, kind.Spec, name, "static attributes are part of the block")
	}
	require.Equal(t, kind.Name, b.Kind().Name)
}

func (s Suite) applyTwice(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	first := b.apply(t, nil)
	s.requirePresence(t, b, event.Present)
	for name := range b.Kind().Outputs {
		require.Contains(t, first, name, "what the kind promises is put out")
	}
	b.log.Take()
	require.Equal(t, first, b.apply(t, nil))
	if s.Changed != nil {
		lines := b.log.Take()
		require.False(t, s.Changed(lines), "the second apply changed something: %q", lines)
	}
}

func (s Suite) destroyTwice(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	b.apply(t, nil)
	b.destroy(t)
	s.requirePresence(t, b, event.Absent)
	b.destroy(t)
	b.apply(t, nil) // what was destroyed can be made again
	s.requirePresence(t, b, event.Present)
}

func (s Suite) destroyWithoutApply(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	s.requirePresence(t, b, event.Absent)
	b.destroy(t)
	s.requirePresence(t, b, event.Absent)
}

func (s Suite) secrets(t *testing.T) {
	require.Contains(t, string(s.WithSecret), Secret, "the suite's inputs have the secret in them")
	b := s.bench(t, t.TempDir(), s.WithSecret)
	b.request.Secrets = []string{Secret}
	b.plan(t, event.Apply)
	outputs := b.apply(t, nil)
	for name, output := range outputs {
		if !output.Sensitive {
			require.NotContains(t, string(output.Value), Secret, "output %s is not marked sensitive", name)
		}
	}
	b.observe(t)
	b.plan(t, event.Apply)
	b.plan(t, event.Destruct)
	b.request.Inputs = s.Plain
	b.plan(t, event.Apply)
	b.request.Inputs = s.WithSecret
	requireNowhere(t, b.dir)
	b.destroy(t)
	requireNowhere(t, b.dir)
	require.False(t, b.log.Has(Secret), "a log line has the secret: %q", b.log.Take())
}

// requireNowhere looks for the secret in every file below dir.
func requireNowhere(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(at)
		require.False(t, bytes.Contains(text, []byte(Secret)), "%s has the secret in clear", at)
		return err
	}))
}

// sideBySide applies and destroys several steps of one executor at once.
func (s Suite) sideBySide(t *testing.T) {
	dir := t.TempDir()
	b := s.bench(t, dir, s.Plain)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		r := b.request
		r.Step += strconv.Itoa(i)
		r.WorkDir = filepath.Join(dir, strconv.Itoa(i))
		r.SaveState = b.saver(r.Step)
		require.NoError(t, os.MkdirAll(r.WorkDir, 0o700))
		wg.Go(func() { errs[i] = b.upAndDown(t, r) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func (b *bench) upAndDown(t *testing.T, r executor.Request) error {
	outputs, err := b.Apply(t.Context(), r)
	if err != nil {
		return err
	}
	values := map[string]json.RawMessage{}
	for name, o := range outputs {
		values[name] = o.Value
	}
	if r.Outputs, err = json.Marshal(values); err != nil {
		return err
	}
	r.Attempt++
	if r.State, err = b.state(r.Step); err != nil {
		return err
	}
	return b.Destroy(t.Context(), r)
}

func (s Suite) cancelledBefore(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Apply(ctx, b.next(t, nil))
	requireCode(t, err, fault.Cancelled)
}

func requireCode(t *testing.T, err error, want fault.Code) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, fault.From(err).Code, "%v", err)
	require.NotContains(t, err.Error(), Secret)
}

func (s Suite) requirePresence(t *testing.T, b *bench, want event.Presence) {
	t.Helper()
	if s.Unobservable {
		want = event.PresenceUnknown
	}
	require.Equal(t, want, b.observe(t).Presence)
}
