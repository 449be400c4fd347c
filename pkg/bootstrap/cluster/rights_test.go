package cluster_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// server answers as an API server that has a few objects, and denies what it is told to. Whatever would change something fails the test.
type server struct {
	t       *testing.T
	denies  []string          // "verb group/resource/subresource namespace"
	objects map[string]string // what is at a path

	mu    sync.Mutex
	asked []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		s.review(w, r)
	case r.Method != http.MethodGet:
		s.t.Errorf("%s %s would change something", r.Method, r.URL.Path)
	case s.objects[r.URL.Path] != "":
		_, _ = io.WriteString(w, s.objects[r.URL.Path])
	case r.URL.Query().Has("labelSelector"):
		_, _ = io.WriteString(w, `{"apiVersion":"v1","kind":"List","items":[]}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"NotFound","code":404}`)
	}
}

func (s *server) review(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Spec struct {
			ResourceAttributes struct{ Namespace, Verb, Group, Resource, Subresource string }
		} `json:"spec"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		s.t.Error(err)
	}
	a := review.Spec.ResourceAttributes
	right := a.Verb + " " + a.Group + "/" + a.Resource + "/" + a.Subresource + " " + a.Namespace
	s.mu.Lock()
	s.asked = append(s.asked, right)
	s.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": review.Spec,
		"status": map[string]any{"allowed": !slices.Contains(s.denies, right)}})
}

func connected(t *testing.T, s *server) *cluster.Cluster { return connectedTo(t, s, s) }

func connectedTo(t *testing.T, s *server, by http.Handler) *cluster.Cluster {
	t.Helper()
	s.t = t
	h := httptest.NewServer(by)
	t.Cleanup(h.Close)
	files := written(t, `{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "`+h.URL+`"}}], users: [{name: u, user: {token: hush}}], contexts: [{name: c, context: {cluster: c, user: u}}]}`)
	p, err := cluster.Find(files, h.URL)
	require.NoError(t, err)
	c, err := cluster.Connect(p, "viv")
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

var rules = []rbacv1.PolicyRule{
	{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "create"}},
	{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
}

// TestRights: everything that is going to be done is asked for, and what is missing is named.
func TestRights(t *testing.T) {
	s := &server{denies: []string{"create apps/deployments/ viv", "get /pods/log viv", "create /namespaces/ ", "patch rbac.authorization.k8s.io/roles/ viv", "delete rbac.authorization.k8s.io/roles/ viv"}}
	err := connected(t, s).Check(t.Context(), rules)
	require.True(t, fault.Is(err, fault.Forbidden), "%v", err)
	require.ErrorContains(t, err, "create on deployments of apps; get on pods/log; patch, delete on roles of rbac.authorization.k8s.io; create on namespaces (of the cluster); nothing was changed")
	for _, right := range []string{"get apps/deployments/ viv", "create /pods/portforward viv", "create /serviceaccounts/ viv", "delete rbac.authorization.k8s.io/rolebindings/ viv", "delete /namespaces/ "} {
		require.Contains(t, s.asked, right)
	}
	require.NoError(t, connected(t, &server{}).Check(t.Context(), rules))
}

// TestANamespaceThatIsThere need not be made.
func TestANamespaceThatIsThere(t *testing.T) {
	s := &server{denies: []string{"create /namespaces/ ", "delete /namespaces/ "}, objects: map[string]string{"/api/v1/namespaces/viv": space("")}}
	c := connected(t, s)
	require.NoError(t, c.Check(t.Context(), rules))
	made, err := c.Made(t.Context())
	require.NoError(t, err)
	require.True(t, made)
	made, err = connected(t, &server{}).Made(t.Context())
	require.NoError(t, err)
	require.False(t, made)
}

func TestNoCluster(t *testing.T) {
	s := &server{}
	c := connected(t, s)
	require.NoError(t, c.Check(t.Context(), nil))
	files := written(t, `{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}], users: [{name: u, user: {}}], contexts: [{name: gone, context: {cluster: c, user: u}}]}`)
	p, err := cluster.Find(files, "gone")
	require.NoError(t, err)
	away, err := cluster.Connect(p, "viv")
	require.NoError(t, err)
	t.Cleanup(away.Close)
	err = away.Check(t.Context(), rules)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.ErrorContains(t, err, "127.0.0.1:1")
}

// space is the namespace, with annotations.
func space(annotations string) string {
	return `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"viv","annotations":{` + annotations + `}}}`
}

func account(annotations string) string {
	return `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"vivarium-runner","annotations":{` + annotations + `}}}`
}

// TestWhose: a namespace is nobody's, ours, or somebody else's, half a bootstrap included.
func TestWhose(t *testing.T) {
	const at, in, ours = "/api/v1/namespaces/viv", "/api/v1/namespaces/viv/serviceaccounts/vivarium-runner", `"vivarium.bootstrap":"k1"`
	for name, c := range map[string]struct {
		objects map[string]string
		owner   string
		says    string
	}{
		"no namespace":      {},
		"an empty one":      {objects: map[string]string{at: space("")}},
		"just begun":        {objects: map[string]string{at: space(ours)}, owner: "k1"},
		"in one that was":   {objects: map[string]string{at: space(""), in: account(ours)}, owner: "k1"},
		"an account":        {objects: map[string]string{at: space(""), in: account("")}, says: "which no bootstrap has made"},
		"two":               {objects: map[string]string{at: space(ours), in: account(`"vivarium.bootstrap":"k2"`)}, says: "another bootstrap"},
		"what is left":      {objects: map[string]string{at: space(""), "/apis/apps/v1/namespaces/viv/deployments": `{"apiVersion":"apps/v1","kind":"DeploymentList","items":[{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"meta-vault"}}]}`}, says: "deployments meta-vault of an environment meta"},
		"one that is going": {objects: map[string]string{at: `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"viv","deletionTimestamp":"2026-01-01T00:00:00Z"}}`}, says: "is being removed"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := connected(t, &server{objects: c.objects})
			owner, err := cl.Look(t.Context(), "meta")
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				require.Error(t, cl.Claim(t.Context(), "meta", "k1", nil), "and nothing is made there")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.owner, owner)
			require.NoError(t, cl.Mine(t.Context(), "meta", "k1"))
			if owner != "" {
				err = cl.Mine(t.Context(), "meta", "k3")
				require.True(t, fault.Is(err, fault.Exists), "%v", err)
				require.ErrorContains(t, err, "somebody else's Vivarium")
			}
		})
	}
}
