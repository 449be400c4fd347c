package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// counted counts writes: one drawing has to be one write, or it flickers.
type counted struct {
	bytes.Buffer
	writes int
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(p)
}

func TestPainterDrawsOverItself(t *testing.T) {
	out := &counted{}
	p := &painter{w: out, size: func(io.Writer) (int, int) { return 80, 24 }}
	tr := grown(t)
	p.tick(tr, noon)
	require.Equal(t, 1, out.writes)
	lines := strings.Count(out.String(), "\n")
	out.Reset()
	p.tick(tr, noon.Add(time.Second))
	require.Equal(t, 2, out.writes)
	require.Contains(t, out.String(), "\x1b[9A\r")
	require.Equal(t, 9, lines)
	require.Equal(t, lines, strings.Count(out.String(), "\x1b[K\n"), "every line is overwritten to its end")
	require.NotContains(t, out.String(), "\x1b[2J", "clearing first would flicker")
}

func TestNoColourWhenNotWanted(t *testing.T) {
	f := newFake(nil)
	f.terminal = func(any) bool { return true }
	require.True(t, f.style(f.out).colour)
	f.variables["NO_COLOR"] = "1"
	require.False(t, f.style(f.out).colour)
	delete(f.variables, "NO_COLOR")
	f.variables["TERM"] = "dumb"
	require.False(t, f.style(f.out).colour)
	_, live := f.newShower(f.out).(*painter)
	require.False(t, live)
}

func TestPrinterWritesALineForEachChange(t *testing.T) {
	var out bytes.Buffer
	p := &printer{w: &out}
	tr := grown(t)
	for _, body := range []environment.Body{
		environment.StepRunning{Step: "notes.action.verify", Attempt: 1, StartedAt: noon.Add(time.Second)},
		environment.StepQueued{Step: "notes.action.verify", Attempt: 1, Cause: environment.CauseLost},
		environment.StepWaiting{Step: "notes.action.verify", Attempt: 2, Verb: event.Apply},
		environment.StepComplete{Step: "notes.action.verify", Attempt: 2, StartedAt: noon.Add(2 * time.Second), FinishedAt: noon.Add(3 * time.Second)},
		environment.StatusDeployed{},
	} {
		l, err := tr.apply(entry(t, noon, body))
		require.NoError(t, err)
		p.changed(tr, l, noon.Add(5*time.Second))
	}
	require.Equal(t, strings.TrimPrefix(`
    5.0s  deploying  notes
    5.0s  running    action.verify
    5.0s  queued     action.verify  the runner is not heard any more
    5.0s  waiting    action.verify  attempt 2
    5.0s  complete   action.verify  attempt 2  1.0s
    5.0s  deployed   notes
`, "\n"), out.String())
}
