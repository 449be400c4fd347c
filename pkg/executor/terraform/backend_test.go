package terraform_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// elsewhere is somebody's own backend: it keeps a state for whoever has the password.
type elsewhere struct {
	mu    sync.Mutex
	state []byte
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, password, _ := r.BasicAuth()
	switch {
	case password != "of-the-backend":
		w.WriteHeader(http.StatusForbidden)
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
