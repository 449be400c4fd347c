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
	first, err := b.Apply(t.Context(), b.request)
	require.NoError(t, err)
	s.requirePresence(t, b, event.Present)
	for name := range b.Kind().Outputs {
		require.Contains(t, first, name, "what the kind promises is put out")
	}
	for name, output := range first {
		require.True(t, json.Valid(output.Value), "output %s is JSON", name)
	}
	b.log.Take()
	second, err := b.Apply(t.Context(), b.next())
	require.NoError(t, err)
	require.Equal(t, first, second)
	if s.Changed != nil {
		lines := b.log.Take()
		require.False(t, s.Changed(lines), "the second apply changed something: %q", lines)
	}
}

func (s Suite) destroyTwice(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	_, err := b.Apply(t.Context(), b.request)
	require.NoError(t, err)
	require.NoError(t, b.Destroy(t.Context(), b.next()))
	s.requirePresence(t, b, event.Absent)
	require.NoError(t, b.Destroy(t.Context(), b.next()))
	_, err = b.Apply(t.Context(), b.next())
	require.NoError(t, err, "what was destroyed can be made again")
	s.requirePresence(t, b, event.Present)
}

func (s Suite) destroyWithoutApply(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	s.requirePresence(t, b, event.Absent)
	require.NoError(t, b.Destroy(t.Context(), b.request))
	s.requirePresence(t, b, event.Absent)
}

func (s Suite) secrets(t *testing.T) {
	require.Contains(t, string(s.WithSecret), Secret, "the suite's inputs have the secret in them")
	b := s.bench(t, t.TempDir(), s.WithSecret)
	b.request.Secrets = []string{Secret}
	outputs, err := b.Apply(t.Context(), b.request)
	require.NoError(t, err)
	for name, output := range outputs {
		if !output.Sensitive {
			require.NotContains(t, string(output.Value), Secret, "output %s is not marked sensitive", name)
		}
	}
	requireNowhere(t, b.dir)
	require.NoError(t, b.Destroy(t.Context(), b.next()))
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
		require.NoError(t, os.MkdirAll(r.WorkDir, 0o700))
		wg.Go(func() {
			if _, errs[i] = b.Apply(t.Context(), r); errs[i] == nil {
				r.Attempt++
				errs[i] = b.Destroy(t.Context(), r)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func (s Suite) cancelledBefore(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Apply(ctx, b.request)
	require.Equal(t, fault.Cancelled, fault.From(err).Code, "%v", err)
}

func (s Suite) requirePresence(t *testing.T, b *bench, want event.Presence) {
	t.Helper()
	if s.Unobservable {
		want = event.PresenceUnknown
	}
	found, err := b.Observe(t.Context(), b.request)
	require.NoError(t, err)
	require.Equal(t, want, found.Presence)
}
