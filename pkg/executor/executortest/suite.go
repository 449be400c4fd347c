package executortest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Secret is the value that has to stay hidden.
const Secret = "correct-horse-battery-staple"

// Underway is what the inputs of Suite.Slow make the executor log once its work has begun.
const Underway = "suite-is-underway"

// Patience bounds every wait of the suite; a machine under load needs much of it, a right executor little.
const Patience = 60 * time.Second

// Suite describes the executor under test.
type Suite struct {
	// New makes the executor; what it keeps goes below dir. Two of the same dir are one before and after a restart.
	New func(t *testing.T, dir string) executor.Executor
	// Bundle is the folder that requests carry.
	Bundle string
	// Plain are inputs that can be applied again and again.
	Plain json.RawMessage
	// WithSecret are inputs that have Secret in them.
	WithSecret json.RawMessage
	// Slow are inputs whose apply logs Underway and ends only once the file gate exists. nil: applies at once.
	Slow func(gate string) json.RawMessage
	// Unobservable executors always answer event.PresenceUnknown.
	Unobservable bool
	// Changed, when not nil, tells from the log of an apply whether it changed anything.
	Changed func(lines []string) bool
}

// Run runs the suite; call it from a test function that does nothing else, since that function is run again as a
// child process.
func Run(t *testing.T, s Suite) {
	if dir := os.Getenv(childDir); dir != "" {
		s.child(t, dir)
		return
	}
	t.Run("kind", s.kind)
	t.Run("apply twice", s.applyTwice)
	t.Run("destroy twice", s.destroyTwice)
	t.Run("destroy without apply", s.destroyWithoutApply)
	t.Run("secrets", s.secrets)
	t.Run("side by side", s.sideBySide)
	t.Run("cancelled before it starts", s.cancelledBefore)
	if s.Slow != nil {
		t.Run("cancel", s.cancel)
		t.Run("deadline", s.deadline)
		t.Run("killed", s.killed)
	}
}

// bench is an executor with the folders of one step.
type bench struct {
	executor.Executor
	dir     string
	request executor.Request
	log     *Log
}

func (s Suite) bench(t *testing.T, dir string, inputs json.RawMessage) *bench {
	t.Helper()
	work := filepath.Join(dir, "work")
	require.NoError(t, os.MkdirAll(work, 0o700))
	log := &Log{}
	return &bench{Executor: s.New(t, dir), dir: dir, log: log, request: executor.Request{
		TaskRef: event.TaskRef{Environment: "suite", Operation: "op-1", Step: `sample.kind.name["a/b"]`, Attempt: 1, Epoch: 1},
		Inputs:  inputs,
		Bundle:  s.Bundle,
		WorkDir: work,
		Log:     log.Add,
	}}
}

// next is the request of the following attempt.
func (b *bench) next() executor.Request {
	b.request.Attempt++
	return b.request
}

// Log collects lines, from several goroutines. The zero value is empty.
type Log struct {
	mu    sync.Mutex
	lines []string
}

// Add takes a line, as executor.Request.Log does.
func (l *Log) Add(_, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// Take returns the lines so far and forgets them.
func (l *Log) Take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// Has tells whether some line contains the text.
func (l *Log) Has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}
