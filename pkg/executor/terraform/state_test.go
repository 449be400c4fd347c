package terraform

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

func testStore(t *testing.T, dir, key, step string) *store {
	t.Helper()
	box, err := secret.NewBox([]byte(strings.Repeat(key, secret.KeySize)))
	require.NoError(t, err)
	return &store{dir: dir, environment: "notes", step: step, box: box}
}

func ref(operation string, attempt int, epoch uint64) event.TaskRef {
	return event.TaskRef{Environment: "notes", Operation: operation, Step: "s", Attempt: attempt, Epoch: epoch}
}

// client asks a state server as Terraform does.
type client struct {
	t      *testing.T
	server *stateServer
}

func newClient(t *testing.T, s *store, r event.TaskRef) client {
	t.Helper()
	c, err := take(s, r, r.Operation+string(rune('0'+r.Attempt)))
	require.NoError(t, err)
	server, err := serve(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(server.close)
	return client{t: t, server: server}
}

func (c client) ask(method, query, body string, change ...func(*http.Request)) (int, string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.server.address+query, strings.NewReader(body))
	require.NoError(c.t, err)
	request.SetBasicAuth(user, c.server.password)
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
	require.Equal(c.t, status, found, "%s %s: %s", method, query, text)
}

const lockA, lockB = `{"ID":"a","Who":"one"}`, `{"ID":"b","Who":"two"}`

func TestProtocol(t *testing.T) {
	c := newClient(t, testStore(t, t.TempDir(), "k", "s"), ref("op", 1, 1))
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
	c.want(http.StatusLocked, "UNLOCK", "", lockB)
	c.want(http.StatusOK, "UNLOCK", "", lockA)
	c.want(http.StatusOK, "LOCK", "", lockB)
	_, state := c.ask("GET", "", "")
	require.JSONEq(t, `{"serial":1}`, state)
	c.want(http.StatusOK, "DELETE", "", "")
	c.want(http.StatusNotFound, "GET", "", "")
	c.want(http.StatusMethodNotAllowed, "PATCH", "", "")
}

func TestOnlyTheRunIsServed(t *testing.T) {
	c := newClient(t, testStore(t, t.TempDir(), "k", "s"), ref("op", 1, 1))
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Header.Del("Authorization") },
		func(r *http.Request) { r.SetBasicAuth(user, "wrong") },
		func(r *http.Request) { r.SetBasicAuth("root", c.server.password) },
	} {
		status, _ := c.ask("GET", "", "", change)
		require.Equal(t, http.StatusUnauthorized, status)
	}
	other := newClient(t, testStore(t, t.TempDir(), "k", "s"), ref("op", 1, 1))
	require.NotEqual(t, c.server.password, other.server.password)
}

func TestALockOfADeadAttemptIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	dead := newClient(t, testStore(t, dir, "k", "s"), ref("op", 1, 1))
	dead.want(http.StatusOK, "LOCK", "", lockA)
	dead.want(http.StatusOK, "POST", "?ID=a", `{"serial":1}`)

	next := newClient(t, testStore(t, dir, "k", "s"), ref("op", 2, 1))
	next.want(http.StatusOK, "LOCK", "", lockB)
	// The dead one was only slow: it can't harm any more.
	dead.want(http.StatusConflict, "POST", "?ID=a", `{"serial":9}`)
	dead.want(http.StatusConflict, "UNLOCK", "", lockA)
	status, holder := dead.ask("LOCK", "", lockA)
	require.Equal(t, http.StatusConflict, status)
	require.JSONEq(t, lockB, holder)
	require.True(t, dead.server.claim.refused())
	dead.server.claim.release()
	_, state := next.ask("GET", "", "")
	require.JSONEq(t, `{"serial":1}`, state)
	next.want(http.StatusOK, "POST", "?ID=b", `{"serial":2}`)
}

func TestWhoMayTakeOver(t *testing.T) {
	for name, c := range map[string]struct {
		holder, comer event.TaskRef
		refused       bool
	}{
		"next attempt":    {ref("op", 1, 1), ref("op", 2, 1), false},
		"same attempt":    {ref("op", 2, 1), ref("op", 2, 1), false},
		"older attempt":   {ref("op", 2, 1), ref("op", 1, 1), true},
		"next operation":  {ref("op", 5, 1), ref("op2", 1, 1), false},
		"next epoch":      {ref("op", 5, 1), ref("op", 1, 2), false},
		"an older epoch":  {ref("op", 1, 2), ref("op", 5, 1), true},
		"an older epoch2": {ref("op", 1, 2), ref("op2", 5, 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(t, t.TempDir(), "k", "s")
			held, err := take(s, c.holder, "holder")
			require.NoError(t, err)
			_, err = take(s, c.comer, "comer")
			require.Equal(t, c.refused, err != nil)
			if c.refused {
				require.Equal(t, fault.Wait, fault.From(err).Disposition)
				held.release()
				_, err = take(s, c.comer, "comer")
				require.NoError(t, err, "what was released is free")
			}
		})
	}
}

func TestSealed(t *testing.T) {
	dir := t.TempDir()
	s := testStore(t, dir, "k", "s")
	require.NoError(t, s.write(json.RawMessage(`{"plain-text":1}`)))
	text, err := os.ReadFile(s.file("state"))
	require.NoError(t, err)
	require.False(t, bytes.Contains(text, []byte("plain-text")))

	_, err = testStore(t, dir, "x", "s").read()
	require.Equal(t, fault.SecretUnavailable, fault.From(err).Code, "another key")

	other := testStore(t, dir, "k", "other")
	require.NoError(t, os.MkdirAll(filepath.Dir(other.file("state")), 0o700))
	require.NoError(t, os.WriteFile(other.file("state"), text, 0o600))
	_, err = other.read()
	require.Equal(t, fault.SecretUnavailable, fault.From(err).Code, "another step's state in its place")

	require.NoError(t, os.WriteFile(s.file("state"), text[:len(text)-3], 0o600))
	_, err = s.read()
	require.Equal(t, fault.SecretUnavailable, fault.From(err).Code, "cut short")
}

func TestWhatTerraformCouldNotHandInIsAdopted(t *testing.T) {
	s := testStore(t, t.TempDir(), "k", "s")
	c, err := take(s, ref("op", 1, 1), "token")
	require.NoError(t, err)
	work := t.TempDir()
	r := &run{claim: c, copy: work, sub: "."}
	require.NoError(t, r.adopt(), "mostly there is nothing")
	file := filepath.Join(work, "errored.tfstate")
	require.NoError(t, os.WriteFile(file, []byte(`{"serial":7}`), 0o600))
	require.NoError(t, r.adopt())
	require.NoFileExists(t, file)
	found, err := s.read()
	require.NoError(t, err)
	require.JSONEq(t, `{"serial":7}`, string(found))
}
