package terraform_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
)

// followed collects what a request's Progress is told.
type followed struct {
	mu   sync.Mutex
	told []event.Progress
}

func (f *followed) add(p event.Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, p)
}

func (f *followed) last() event.Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.told) == 0 {
		return event.Progress{}
	}
	return f.told[len(f.told)-1]
}

func TestProgressOfARealRun(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	s := sample(t, map[string]any{"gate": gate})
	f := &followed{}
	s.request.Progress = f.add
	done := make(chan error, 1)
	go func() { _, err := s.Apply(t.Context(), s.request); done <- err }()
	held := func() bool {
		p := f.last()
		return strings.HasPrefix(p.Message, "terraform_data.waiting[0]") && p.Done > 0 && p.Done == p.Total-1
	}
	require.Eventually(t, held, executortest.Patience, 5*time.Millisecond, "all but the one that waits are done")
	require.NoError(t, os.WriteFile(gate, nil, 0o600))
	require.NoError(t, <-done)
	require.Positive(t, f.last().Total)
	require.Equal(t, f.last().Total, f.last().Done)

	total := f.last().Total
	f.told, s.request.Attempt = nil, 2
	require.NoError(t, s.Destroy(t.Context(), s.request))
	require.Equal(t, total, f.last().Total)
	require.Equal(t, total, f.last().Done)
}

func TestProgressCountsWhatTheProgramSays(t *testing.T) {
	s := sample(t, nil)
	f := &followed{}
	s.request.Progress = f.add
	script := `[ "$1" = init ] || cat <<'END'
{"type":"refresh_start","hook":{"resource":{"addr":"a"}}}
{"type":"refresh_complete","hook":{"resource":{"addr":"a"}}}
{"type":"change_summary","changes":{"add":1,"change":1,"remove":1,"operation":"plan"}}
{"type":"apply_start","hook":{"resource":{"addr":"data.d"},"action":"read"}}
{"type":"apply_complete","hook":{"resource":{"addr":"data.d"},"action":"read"}}
{"type":"apply_start","hook":{"resource":{"addr":"a"},"action":"delete"}}
{"type":"apply_start","hook":{"resource":{"addr":"b"},"action":"update"}}
{"type":"apply_complete","hook":{"resource":{"addr":"b"},"action":"update"}}
{"type":"apply_start","hook":17}
{"type":"apply_errored","hook":{"resource":{"addr":"a"},"action":"delete"}}
{"type":"change_summary","changes":{"add":0,"change":1,"remove":0,"operation":"apply"}}
no JSON at all
END
`
	_, err := pretending(t, s, script).Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, []event.Progress{
		{Message: "a"},
		{Message: "a", Total: 3},
		{Message: "data.d", Total: 3},
		{Message: "a", Total: 3},
		{Message: "b (and 1 more)", Total: 3},
		{Message: "a", Done: 1, Total: 3},
	}, f.told)
}
