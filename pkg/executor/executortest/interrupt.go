package executortest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// childDir is the environment variable that makes the test binary the child which is going to be killed.
const childDir = "EXECUTORTEST_CHILD_DIR"

// gate is the file in the suite's folder that lets slow work go on.
const gate = "gate"

// slowly starts an apply of slow inputs and returns once it is under way, with what it will come to.
func (s Suite) slowly(ctx context.Context, t *testing.T, b *bench) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	r := b.next(t, nil)
	go func() {
		_, err := b.Apply(ctx, r)
		done <- err
	}()
	require.Eventually(t, func() bool { return b.log.Has(Underway) || len(done) > 0 }, Patience, 5*time.Millisecond)
	return done
}

func (s Suite) cancel(t *testing.T) {
	dir := t.TempDir()
	b := s.bench(t, dir, s.Slow(filepath.Join(dir, gate)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := s.slowly(ctx, t, b)
	cancel()
	require.Equal(t, fault.Cancelled, fault.From(end(t, done)).Code)
	s.finishes(t, b)
}

// deadline lets the context run out by itself.
func (s Suite) deadline(t *testing.T) {
	dir := t.TempDir()
	b := s.bench(t, dir, s.Slow(filepath.Join(dir, gate)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := b.Apply(ctx, b.next(t, nil))
	require.Equal(t, fault.Timeout, fault.From(err).Code, "%v", err)
	s.finishes(t, b)
}

// finishes lets the slow work go on, and expects a new attempt to succeed and a destroy to leave nothing.
func (s Suite) finishes(t *testing.T, b *bench) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, gate), nil, 0o600))
	b.apply(t, nil)
	s.requirePresence(t, b, event.Present)
	b.destroy(t)
	s.requirePresence(t, b, event.Absent)
}

func end(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(Patience):
		require.FailNow(t, "the work goes on although its context has ended")
		return nil
	}
}

// child applies slow inputs, says on its standard output when it is under way, and waits to be killed.
func (s Suite) child(t *testing.T, dir string) {
	b := s.bench(t, dir, s.Slow(filepath.Join(dir, gate)))
	done := s.slowly(t.Context(), t, b)
	fmt.Println(Underway)
	require.NoError(t, end(t, done))
}

// killed kills a whole process in the middle of an apply; another one of the same folders goes on.
func (s Suite) killed(t *testing.T) {
	dir := t.TempDir()
	name, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v") //nolint:gosec // the test binary itself
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	var said []string
	for underway := false; !underway && lines.Scan(); underway = lines.Text() == Underway {
		said = append(said, lines.Text())
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait(), "the child was killed while it worked")
	require.Contains(t, said, Underway, "the child came as far as the middle of its work")

	b := s.bench(t, dir, s.Slow(filepath.Join(dir, gate)))
	b.request.Attempt++ // the child's
	s.finishes(t, b)
}
