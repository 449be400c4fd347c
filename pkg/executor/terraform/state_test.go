package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// server is one that keeps the state of one step.
type server struct {
	saved   []byte
	refuses error
}

func (s *server) save(_ context.Context, data []byte) error {
	if s.refuses != nil {
		return s.refuses
	}
	s.saved = data
	return nil
}

func (s *server) keeper(t *testing.T, attempt int) *keeper {
	t.Helper()
	k, err := New(Options{}).keep(t.Context(), executor.Request{
		TaskRef: event.TaskRef{Environment: "notes", Step: "s", Attempt: attempt}, State: s.saved, SaveState: s.save,
	})
	require.NoError(t, err)
	t.Cleanup(k.stop)
	return k
}

// client asks a state server as Terraform does.
type client struct {
	t      *testing.T
	server *stateServer
}

func newClient(t *testing.T, k *keeper) client {
	t.Helper()
	server, err := serve(t.Context(), k, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(server.close)
	return client{t: t, server: server}
}

func (c client) ask(method, query, body string, change ...func(*http.Request)) (int, string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.server.address+query, strings.NewReader(body))
	require.NoError(c.t, err)
	request.SetBasicAuth(userName, c.server.password)
	request.Close = true
	for _, f := range change {
		f(request)
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer answer.Body.Close() //nolint:errcheck // only read from
	text, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	return answer.StatusCode, string(text)
}

func (c client) want(status int, method, query, body string) {
	c.t.Helper()
	found, text := c.ask(method, query, body)
	require.Equal(c.t, status, found, text)
}

const (
	lockA = `{"ID":"a","Who":"first"}`
	lockB = `{"ID":"b","Who":"second"}`
)

func TestProtocol(t *testing.T) {
	s := &server{}
	c := newClient(t, s.keeper(t, 1))
	c.want(http.StatusNotFound, "GET", "", "")
	c.want(http.StatusOK, "LOCK", "", lockA)
	c.want(http.StatusOK, "LOCK", "", lockA)
	status, holder := c.ask("LOCK", "", lockB)
	require.Equal(t, http.StatusLocked, status)
	require.JSONEq(t, lockA, holder, "the answer says who has it")
	c.want(http.StatusLocked, "POST", "?ID=b", `{"serial":1}`)
	c.want(http.StatusLocked, "POST", "", `{"serial":1}`)
	c.want(http.StatusBadRequest, "POST", "?ID=a", `{"serial":`)
	c.want(http.StatusOK, "POST", "?ID=a", `{"serial":1}`)
	require.JSONEq(t, `{"terraform":{"serial":1}}`, string(s.saved), "the server has it before Terraform hears so")
	c.want(http.StatusLocked, "UNLOCK", "", lockB)
	c.want(http.StatusOK, "UNLOCK", "", lockA)
	c.want(http.StatusOK, "LOCK", "", lockB)
	_, state := c.ask("GET", "", "")
	require.JSONEq(t, `{"serial":1}`, state)
	c.want(http.StatusOK, "DELETE", "", "")
	require.Nil(t, s.saved)
	c.want(http.StatusNotFound, "GET", "", "")
	c.want(http.StatusMethodNotAllowed, "PATCH", "", "")
}

func TestOnlyTheRunIsServed(t *testing.T) {
	s := &server{}
	c := newClient(t, s.keeper(t, 1))
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Header.Del("Authorization") },
		func(r *http.Request) { r.SetBasicAuth(userName, "wrong") },
		func(r *http.Request) { r.SetBasicAuth("root", c.server.password) },
	} {
		status, _ := c.ask("GET", "", "", change)
		require.Equal(t, http.StatusUnauthorized, status)
	}
	other := newClient(t, s.keeper(t, 1))
	require.NotEqual(t, c.server.password, other.server.password)
}

func TestALockOfADeadAttemptIsInNobodysWay(t *testing.T) {
	s := &server{}
	dead := newClient(t, s.keeper(t, 1))
	dead.want(http.StatusOK, "LOCK", "", lockA)
	dead.want(http.StatusOK, "POST", "?ID=a", `{"serial":1}`)

	next := newClient(t, s.keeper(t, 2))
	_, state := next.ask("GET", "", "")
	require.JSONEq(t, `{"serial":1}`, state)
	next.want(http.StatusOK, "LOCK", "", lockB)
	next.want(http.StatusOK, "POST", "?ID=b", `{"serial":2}`)
}

func TestWhatTheServerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		refuses error
		status  int
		code    fault.Code
	}{
		"a newer attempt": {fault.New(fault.Wait, fault.Busy, "a newer attempt has the step"), http.StatusConflict, fault.Busy},
		"fenced":          {fault.New(fault.GiveUp, fault.Conflict, "not yours"), http.StatusConflict, fault.Busy},
		"no server":       {errors.New("no route to host"), http.StatusInternalServerError, fault.Internal},
		"too large":       {fault.New(fault.GiveUp, fault.Invalid, "too large"), http.StatusInternalServerError, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{refuses: c.refuses}
			k := s.keeper(t, 1)
			client := newClient(t, k)
			client.want(c.status, "POST", "", `{"serial":1}`)
			client.want(http.StatusNotFound, "GET", "", "")
			run := &run{keeper: k}
			require.Equal(t, c.code, fault.From(run.unsaved(t.Context(), k.trouble())).Code)
			s.refuses = nil
			if c.status == http.StatusInternalServerError {
				client.want(http.StatusOK, "POST", "", `{"serial":1}`)
				require.NoError(t, k.trouble(), "it was kept at last")
			}
		})
	}
}

func TestALookWritesNothing(t *testing.T) {
	k, err := New(Options{}).keep(t.Context(), executor.Request{State: []byte(`{"terraform":{"serial":1}}`)})
	require.NoError(t, err)
	t.Cleanup(k.stop)
	c := newClient(t, k)
	_, state := c.ask("GET", "", "")
	require.JSONEq(t, `{"serial":1}`, state)
	c.want(http.StatusConflict, "POST", "", `{"serial":2}`)
}

func TestAStateThatCantBeRead(t *testing.T) {
	_, err := New(Options{}).keep(t.Context(), executor.Request{State: []byte(`{"terraform":`)})
	require.Equal(t, fault.Unreadable, fault.From(err).Code)
}

// TestSavingOutlivesTheRun: Terraform hands its state in after it was interrupted.
func TestSavingOutlivesTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	longer, stop := outlive(ctx, DefaultGrace)
	cancel()
	require.NoError(t, longer.Err())
	stop()
	require.Error(t, longer.Err())
}

func TestWhatTerraformCouldNotHandInIsAdopted(t *testing.T) {
	s := &server{}
	k := s.keeper(t, 1)
	work := t.TempDir()
	r := &run{keeper: k, request: k.request, server: &stateServer{}, copy: work, sub: "."}
	require.NoError(t, r.adopt(), "mostly there is nothing")
	file := filepath.Join(work, "errored.tfstate")
	leave := func(serial string) {
		require.NoError(t, os.WriteFile(file, []byte(`{"lineage":"l","serial":`+serial+`}`), 0o600))
		require.NoError(t, r.adopt())
		require.NoFileExists(t, file)
	}
	leave("7")
	leave("6")
	var found kept
	require.NoError(t, json.Unmarshal(s.saved, &found))
	require.JSONEq(t, `{"lineage":"l","serial":7}`, string(found.Terraform), "an older one is none")
}
