package action_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestTargetIsTheHostOfTheApp(t *testing.T) {
	cache := t.TempDir()
	known := hash("known")
	require.NoError(t, os.MkdirAll(filepath.Join(cache, "apps"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(cache, "apps", known), []byte("known"), 0o500))
	e := action.New(action.Options{CacheDir: cache})
	for name, c := range map[string]struct {
		inputs []byte
		want   string
	}{
		"https":      {inputs(t, withApp("https://user:pw@Apps.Example.test/migrate?token=x", "")), "apps.example.test"},
		"port":       {inputs(t, withApp("http://apps.example.test:8080/migrate", hash("other"))), "apps.example.test:8080"},
		"cached":     {inputs(t, withApp("https://apps.example.test/migrate", known)), ""},
		"file":       {inputs(t, withApp("file:///opt/migrate", "")), ""},
		"template":   {inputs(t, withApp("./apps/migrate", "")), ""},
		"no app":     {inputs(t, shell("true")), ""},
		"no url":     {inputs(t, withApp("https://[", "")), ""},
		"unreadable": {[]byte(`{"app":17}`), ""},
		"nothing":    {nil, ""},
	} {
		require.Equal(t, c.want, e.Target(executor.Request{Inputs: c.inputs}), name)
	}
}

// TestWhatAHostIsToBlameFor says which errors count against the target: those that are fault.Unavailable.
func TestWhatAHostIsToBlameFor(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		blamed bool
	}{
		"no such app": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, false},
		"forbidden":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, false},
		"overloaded":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, true},
		"too many":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, true},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("not all of it"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			_, _, err := run(t, withApp(server.URL+"/migrate", ""))
			require.Equal(t, c.blamed, fault.Is(err, fault.Unavailable), "%v", err)
			require.Equal(t, c.blamed, fault.From(err).Disposition == fault.Retry)
			u, parseErr := url.Parse(server.URL)
			require.NoError(t, parseErr)
			require.ErrorContains(t, err, u.Host)
		})
	}
}
