package kubernetes

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// TestAPlanOfANamespaceThatIsPending asks for nothing that only a namespace that is there could answer. A real one is in TestANamespaceThatIsToCome.
func TestAPlanOfANamespaceThatIsPending(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"NotFound","code":404}`)
	}))
	defer api.Close()
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "`+api.URL+`"}}], users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: c, user: u}}]}`), 0o600))
	e := New(Options{Kubeconfig: []string{file}, Namespace: "to-come", Pending: true, Box: fixed})
	defer e.Close()
	plan, err := e.Plan(t.Context(), request(`{"image":"sample:1","port":[{"container":8080}]}`), event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeCreate, plan.Change)
	require.Len(t, plan.Differences, 3, "a Deployment and two Services")
}
