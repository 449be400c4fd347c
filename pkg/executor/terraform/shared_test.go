package terraform

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestModulesThatNobodyRunsAreForgotten, and all others stay.
func TestModulesThatNobodyRunsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-keepUnused - time.Hour)
	for name, c := range map[string]struct {
		stamped bool
		at      time.Time
	}{"used": {true, time.Now()}, "unused": {true, old}, "begun": {false, time.Now()}, "cut short": {false, old}} {
		at := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(at, 0o700))
		if c.stamped {
			require.NoError(t, writeStamp(shared(at).stamp(), stamp{Module: name}))
			require.NoError(t, os.Chtimes(shared(at).stamp(), c.at, c.at))
		}
		require.NoError(t, os.Chtimes(at, c.at, c.at))
	}
	New(Options{}).forgetUnused(dir)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2)
	require.Equal(t, []string{"begun", "used"}, []string{left[0].Name(), left[1].Name()})
}

// TestGarbageIsCollectedRarelyWhereThereAreNoProviders, which would inherit that.
func TestGarbageIsCollectedRarelyWhereThereAreNoProviders(t *testing.T) {
	run := &run{executor: New(Options{}), data: t.TempDir()}
	require.Equal(t, rareCollection, run.environment()["GOGC"])
	run.executor.options.Environment = []string{"GOGC=50"}
	require.Equal(t, "50", run.environment()["GOGC"], "the runner's own word goes first")
	run.executor.options.Environment = nil
	require.NoError(t, os.MkdirAll(filepath.Join(run.data, "providers", "example.test"), 0o700))
	require.NotContains(t, run.environment(), "GOGC")
}
