package terraform_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// elsewhere is somebody's own backend: it keeps a state for whoever has the password.
type elsewhere struct {
	mu    sync.Mutex
	state []byte
	lock  []byte // nil when nobody has locked
}

func (e *elsewhere) locked() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lock
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, password, _ := r.BasicAuth()
	switch {
	case password != "of-the-backend":
		w.WriteHeader(http.StatusForbidden)
	case r.Method == "LOCK" && e.lock != nil:
		w.WriteHeader(http.StatusLocked)
		_, _ = w.Write(e.lock) // who asked has gone
	case r.Method == "LOCK":
		e.lock, _ = io.ReadAll(r.Body) // a cut lock fails the test where it is read
	case r.Method == "UNLOCK":
		e.lock = nil
	case r.Method == http.MethodGet && e.state == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		_, _ = w.Write(e.state) // who asked has gone
	default:
		e.state, _ = io.ReadAll(r.Body) // a cut state fails the test where it is read
	}
}

const ownModule = `
variable "name" { type = string }
resource "terraform_data" "sample" { input = var.name }
output "name" { value = terraform_data.sample.output }
`

func TestOwnBackendIsRespected(t *testing.T) {
	backend := &elsewhere{}
	server := httptest.NewServer(backend)
	defer server.Close()
	dir := write(t, map[string]string{"own/main.tf": "terraform {\n  backend \"http\" { address = \"" + server.URL + "\" }\n}\n" + ownModule})
	s := newStage(t, filepath.Join(dir, "own"), "./own", map[string]any{"name": "mine"})
	s.Executor = terraform.New(terraform.Options{
		Binary:      binary(t),
		Environment: append(os.Environ(), "TF_HTTP_USERNAME=runner", "TF_HTTP_PASSWORD=of-the-backend"),
	})
	present := func(want event.Presence) {
		t.Helper()
		found, err := s.Observe(t.Context(), s.request)
		require.NoError(t, err)
		require.Equal(t, want, found.Presence)
	}
	present(event.Absent)
	outputs, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.JSONEq(t, `"mine"`, string(outputs["name"].Value))
	require.Contains(t, string(backend.state), "terraform_data")
	require.Nil(t, s.request.State, "the server keeps nothing of it")
	present(event.Present)
	require.NoError(t, s.Destroy(t.Context(), s.request))
	present(event.Absent)

	server.Close()
	_, err = s.Apply(t.Context(), s.request)
	require.Equal(t, fault.Retry, fault.From(err).Disposition, "a backend that does not answer may come back: %v", err)
}

func TestALocalBackendWouldLoseTheState(t *testing.T) {
	dir := write(t, map[string]string{"own/main.tf": "terraform {\n  backend \"local\" { path = \"own.tfstate\" }\n}\n" + ownModule})
	s := newStage(t, filepath.Join(dir, "own"), "./own", map[string]any{"name": "mine"})
	_, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(s.request.WorkDir))
	require.NoError(t, os.Mkdir(s.request.WorkDir, 0o700))
	s.request.Attempt++
	s.log.Take()
	_, err = s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.Contains(t, strings.Join(s.log.Take(), "\n"), "Resources: 0 added, 0 changed, 0 destroyed.")
	require.NoFileExists(t, filepath.Join(s.request.WorkDir, "module", "own.tfstate"))
}

// locking is a step of a module with a backend of its own, which locks.
func locking(t *testing.T, backend *elsewhere, values map[string]any) *stage {
	t.Helper()
	server := httptest.NewServer(backend)
	t.Cleanup(server.Close)
	settings := fmt.Sprintf("address = %[1]q\n lock_address = %[1]q\n unlock_address = %[1]q", server.URL)
	dir := write(t, map[string]string{"own/main.tf": "terraform {\n  backend \"http\" {\n" + settings + "\n}\n}\n" + ownModule + `
variable "gate" { default = "" }
resource "terraform_data" "waiting" {
  count = var.gate == "" ? 0 : 1
  provisioner "local-exec" {
    command     = "echo under-way; until [ -e \"$GATE\" ]; do sleep 0.05; done"
    environment = { GATE = var.gate }
  }
}
`})
	s := newStage(t, filepath.Join(dir, "own"), "./own", values)
	s.Executor = terraform.New(terraform.Options{
		Binary: binary(t), Environment: append(os.Environ(), "TF_HTTP_USERNAME=runner", "TF_HTTP_PASSWORD=of-the-backend"),
	})
	return s
}

func TestALockOfSomebodyElseIsLeftAlone(t *testing.T) {
	backend := &elsewhere{lock: []byte(`{"ID":"0815-4711","Operation":"OperationTypeApply","Who":"ann@laptop","Created":"2026-03-01T12:00:00Z"}`)}
	s := locking(t, backend, map[string]any{"name": "mine"})
	for range 2 { // neither at once, nor by the attempt after one that has noted that it was about to lock
		_, err := s.Apply(t.Context(), s.request)
		found := fault.From(err)
		require.Equal(t, fault.Busy, found.Code, "%v", err)
		require.Equal(t, fault.Retry, found.Disposition)
		for _, says := range []string{"ann@laptop", "2026-03-01T12:00:00Z", "Apply", "force-unlock 0815-4711"} {
			require.Contains(t, found.Message, says)
		}
		require.Contains(t, string(backend.locked()), "ann@laptop")
		s.request.Attempt++
	}
}

// TestALockOfADeadAttemptIsReleasedByItsSuccessor, on whichever runner that is: it knows it by what the server keeps.
func TestALockOfADeadAttemptIsReleasedByItsSuccessor(t *testing.T) {
	backend := &elsewhere{}
	gate := filepath.Join(t.TempDir(), "gate")
	s := locking(t, backend, map[string]any{"name": "mine", "gate": gate})
	done := make(chan error, 1)
	go func() {
		_, err := s.Apply(t.Context(), s.request)
		done <- err
	}()
	require.Eventually(t, func() bool { return s.log.Has("under-way") || len(done) > 0 }, executortest.Patience, 5*time.Millisecond)
	killProgram(t, s)
	require.Error(t, <-done)
	require.NotNil(t, backend.locked(), "the dead program has left its lock")

	require.NoError(t, os.WriteFile(gate, nil, 0o600))
	s.request.Attempt++
	s.request.WorkDir = t.TempDir()
	_, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.True(t, s.log.Has("releasing the lock"))
	require.Nil(t, backend.locked())
	require.Nil(t, s.request.State, "nothing is left to be released")
}

// TestAWorkspaceOfItsOwn has two environments of one module in one backend.
func TestAWorkspaceOfItsOwn(t *testing.T) {
	consul := servers.SharedConsul(t)
	dir := write(t, map[string]string{"own/main.tf": fmt.Sprintf(
		"terraform {\n  backend \"consul\" {\n    address = %q\n    scheme = \"http\"\n    path = \"states/own\"\n  }\n}\n", consul.Address()) + ownModule})
	stages := map[string]*stage{}
	for _, name := range []string{"one", "two"} {
		s := newStage(t, filepath.Join(dir, "own"), "./own", map[string]any{"name": name})
		s.request.Environment = name
		outputs, err := s.Apply(t.Context(), s.request)
		require.NoError(t, err)
		require.JSONEq(t, strconv.Quote(name), string(outputs["name"].Value))
		stages[name] = s
	}
	one, two := stages["one"], stages["two"]
	one.request.Attempt++
	require.NoError(t, one.Destroy(t.Context(), one.request))
	two.request.WorkDir = t.TempDir() // on another runner
	for s, want := range map[*stage]event.Presence{one: event.Absent, two: event.Present} {
		found, err := s.Observe(t.Context(), s.request)
		require.NoError(t, err)
		require.Equal(t, want, found.Presence)
	}
	plan, err := one.Plan(t.Context(), one.request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.Plan{Change: event.ChangeCreate}, plan.Plan)
	plan, err = two.Plan(t.Context(), two.request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeNone, plan.Change, "%+v", plan.Plan)
	two.request.Attempt++
	require.NoError(t, two.Destroy(t.Context(), two.request))
	_, err = two.Observe(t.Context(), two.request)
	require.NoError(t, err)

	answer, err := http.Get("http://" + consul.Address() + "/v1/kv/states?keys")
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // only read from
	left, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, answer.StatusCode, "neither a destroy nor a look leaves a workspace: %s", left)
}
