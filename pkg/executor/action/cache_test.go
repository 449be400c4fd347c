package action_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
)

// TestOneAppForMany: steps that want one app at once fetch it once, and what was done to the cache is noticed.
func TestOneAppForMany(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(script))
	}))
	defer server.Close()
	dir := t.TempDir()
	apps := filepath.Join(dir, "apps")
	require.NoError(t, os.MkdirAll(apps, 0o700))
	dead, mine := filepath.Join(apps, "new-dead"), filepath.Join(apps, "new-mine")
	for _, name := range []string{dead, mine} {
		require.NoError(t, os.WriteFile(name, []byte("half of it"), 0o600))
	}
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(dead, old, old))
	apply := func(e *action.Executor) error {
		_, err := e.Apply(t.Context(), executor.Request{
			TaskRef: event.TaskRef{Environment: "notes", Step: "notes.action.migrate"}, WorkDir: t.TempDir(),
			Inputs: inputs(t, withApp(server.URL+"/migrate", hash(script))), Log: func(string, string) {},
		})
		return err
	}
	e := action.New(action.Options{CacheDir: dir, Environment: os.Environ()})
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { errs[i] = apply(e) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, int32(1), asked.Load())
	require.NoFileExists(t, dead)
	require.FileExists(t, mine, "another runner may be writing it")

	at := filepath.Join(apps, hash(script))
	require.NoError(t, os.Chmod(at, 0o700))
	require.NoError(t, os.WriteFile(at, []byte("#!/bin/sh\nexit 7\n"), 0o700))
	require.NoError(t, apply(action.New(action.Options{CacheDir: dir, Environment: os.Environ()})), "another app under its name is not run")
	require.Equal(t, int32(2), asked.Load())
}
