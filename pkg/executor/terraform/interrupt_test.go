package terraform_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// TestApplyInterruptedAtEachStage cancels an apply, or kills the program, and lets the next attempt go on with what was saved.
func TestApplyInterruptedAtEachStage(t *testing.T) {
	for _, stage := range []string{"plan", "apply", "result"} {
		for how, strike := range map[string]func(*testing.T, *stageUnderWay){
			"cancelled": func(_ *testing.T, s *stageUnderWay) { s.cancel() },
			"killed":    func(t *testing.T, s *stageUnderWay) { killProgram(t, s.stage) },
		} {
			t.Run(stage+" "+how, func(t *testing.T) { interrupted(t, stage, strike) })
		}
	}
}

// stageUnderWay is a step whose apply is going to be interrupted.
type stageUnderWay struct {
	*stage
	cancel context.CancelFunc
	once   sync.Once
	struck bool
}

// killProgram kills the program and all that it has started, as the kernel does when there is no memory left.
func killProgram(t *testing.T, s *stage) {
	text, err := os.ReadFile(filepath.Join(s.request.WorkDir, "process"))
	if err != nil {
		return // it has ended by itself
	}
	group, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(-group, syscall.SIGKILL)
	}
	if err != nil {
		t.Errorf("the program can't be killed: %v", err)
	}
}

func interrupted(t *testing.T, stage string, strike func(*testing.T, *stageUnderWay)) {
	gate := filepath.Join(t.TempDir(), "gate")
	values := map[string]any{"gate": gate}
	step, path := provided(t, values)
	s := &stageUnderWay{stage: step}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.cancel = cancel
	hit := func() {
		s.once.Do(func() {
			s.struck = true
			strike(t, s)
		})
	}
	request := s.request
	request.Log = func(stream, line string) {
		s.log.Add(stream, line)
		switch {
		case stage == "plan" && strings.Contains(line, "Plan to create"), stage == "apply" && strings.Contains(line, "Creating..."):
			hit()
		}
	}
	save := request.SaveState
	request.SaveState = func(ctx context.Context, data []byte) error {
		err := save(ctx, data)
		if stage == "result" && strings.Contains(string(data), "sample_file") {
			hit()
		}
		return err
	}
	if stage == "result" {
		require.NoError(t, os.WriteFile(gate, nil, 0o600))
	}
	_, err := s.Apply(ctx, request)
	require.True(t, s.struck, "the apply came as far as that: %v", err)
	if stage != "result" {
		require.Error(t, err)
	}

	require.NoError(t, os.WriteFile(gate, nil, 0o600))
	outputs, err := s.Apply(t.Context(), s.again(t, path, values))
	require.NoError(t, err)
	require.JSONEq(t, strconv.Quote(path), string(outputs["path"].Value))
	found, err := s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Observation{Presence: event.Present}, found)
	s.request.Attempt++
	require.NoError(t, s.Destroy(t.Context(), s.request))
	require.NoFileExists(t, path)
	found, err = s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Absent, found.Presence)
}
