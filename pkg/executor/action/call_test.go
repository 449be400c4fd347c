package action_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func call(server *httptest.Server, path string, more map[string]any) map[string]any {
	block := map[string]any{"url": server.URL + path}
	for name, v := range more {
		block[name] = v
	}
	return map[string]any{"http": block}
}

// echo answers what it was asked, or does what its path says.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"method":"`+r.Method+`","token":"`+r.Header.Get("X-Token")+`","body":"`+string(body)+`","key":"`+r.Header.Get("Idempotency-Key")+`"}`)
	})
	mux.HandleFunc("/missing", http.NotFound)
	mux.HandleFunc("/broken", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "token "+r.Header.Get("X-Token"), http.StatusBadGateway)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 3<<20)) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo", http.StatusFound) })
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestACall(t *testing.T) {
	server := echo(t)
	outputs, lines, err := run(t, call(server, "/echo?secret=of-the-query", map[string]any{"method": "POST", "body": "hello", "headers": map[string]string{"X-Token": "open-sesame"}}),
		func(_ *action.Options, r *executor.Request) { r.Secrets = []string{"open-sesame"} })
	require.NoError(t, err)
	require.JSONEq(t, `201`, string(outputs["status"].Value))
	require.Contains(t, string(outputs["json"].Value), `"method":"POST"`)
	require.Contains(t, string(outputs["json"].Value), `"key":"notes%2Fnotes.action.migrate%2Fop-7"`)
	require.True(t, outputs["json"].Sensitive && outputs["body"].Sensitive, "it holds a secret that was sent")
	require.False(t, outputs["status"].Sensitive)
	require.NotContains(t, strings.Join(lines, ""), "of-the-query")

	outputs, _, err = run(t, call(server, "/large", nil))
	require.NoError(t, err)
	require.Len(t, outputs["body"].Value, 64<<10+2)
	require.JSONEq(t, `null`, string(outputs["json"].Value))
}

func TestAnswersThatWereNotExpected(t *testing.T) {
	server := echo(t)
	for name, c := range map[string]struct {
		block map[string]any
		code  fault.Code
		text  string
	}{
		"not found":    {call(server, "/missing", nil), fault.NotFound, "404 Not Found"},
		"broken":       {call(server, "/broken", map[string]any{"headers": map[string]string{"X-Token": "open-sesame"}}), fault.Unavailable, "502 Bad Gateway"},
		"another":      {call(server, "/echo", map[string]any{"status": []int{200}}), fault.ExecutorFailed, "201 Created"},
		"moved POST":   {call(server, "/moved", map[string]any{"method": "POST"}), fault.ExecutorFailed, "302 Found"},
		"hangs":        {call(server, "/hangs", map[string]any{"timeout": "50ms"}), fault.Unavailable, "within 50ms"},
		"nobody":       {map[string]any{"http": map[string]any{"url": "http://127.0.0.1:1/x?token=open-sesame"}}, fault.Unavailable, "refused"},
		"no url":       {map[string]any{"http": map[string]any{"url": ""}}, fault.Invalid, "url"},
		"header":       {call(server, "/echo", map[string]any{"headers": map[string]string{"X": "a\nopen-sesame"}}), fault.Invalid, "header"},
		"both":         {map[string]any{"command": []string{"true"}, "http": map[string]any{"url": server.URL}}, fault.Invalid, "either"},
		"not a status": {call(server, "/echo", map[string]any{"status": []int{2}}), fault.Invalid, "100 to 599"},
	} {
		t.Run(name, func(t *testing.T) {
			_, lines, err := run(t, c.block, func(_ *action.Options, r *executor.Request) { r.Secrets = []string{"open-sesame"} })
			require.True(t, fault.Is(err, c.code), "%v", err)
			require.ErrorContains(t, err, c.text)
			require.NotContains(t, err.Error(), "open-sesame")
			require.LessOrEqual(t, len(lines), 3)
		})
	}
	outputs, _, err := run(t, call(server, "/moved", nil))
	require.NoError(t, err)
	require.JSONEq(t, `201`, string(outputs["status"].Value), "a redirect of what only reads is followed")
	outputs, _, err = run(t, call(server, "/moved", map[string]any{"status": []int{302}}))
	require.NoError(t, err)
	require.JSONEq(t, `302`, string(outputs["status"].Value))
}

func TestHeadersGoToNobodyElse(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	_, _, err := run(t, call(server, "/", map[string]any{"headers": map[string]string{"X-Token": "open-sesame"}}))
	require.ErrorContains(t, err, "302 Found")
}

func TestACallIsCancelled(t *testing.T) {
	server := echo(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e := action.New(action.Options{CacheDir: t.TempDir()})
	_, err := e.Apply(ctx, executor.Request{Inputs: inputs(t, call(server, "/hangs", nil)), Log: func(string, string) {}})
	require.True(t, fault.Is(err, fault.Timeout), "%v", err)
}
