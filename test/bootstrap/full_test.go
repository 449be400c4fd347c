package bootstrap

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vivarium-env/vivarium/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/kubernetes"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/secret"
	language "github.com/vivarium-env/vivarium/pkg/template"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestTheProfileFullIsTaken: the API of a real cluster takes every object of the profile full, in a dry run with strict validation, by the rights that a
// bootstrap gives to the service's runner and no others; and a plan of it changes nothing.
func TestTheProfileFullIsTaken(t *testing.T) {
	if !asked("kubernetes") {
		t.Skip("VIVARIUM_BOOTSTRAP=kubernetes (make test-bootstrap) starts a cluster")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	k := servers.SharedKubernetes(t)
	p := place(t, ctx)
	p.Location, p.Kubeconfig = "vivarium", k.Kubeconfig()
	c := &inCluster{p, k}
	t.Cleanup(func() { c.end(t) })

	before := c.everything(t, ctx)
	out, err := p.Bootstrap(ctx, "--plan", "--profile", "full", "--image", "registry.example.test/vivarium:1", "--param", "api_host=vivarium.example.test").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, said := range []string{"helm_release.broker", "helm_release.vault", "helm_release.store", "helm_release.telemetry", "helm_release.front", "Nothing was done."} {
		require.Contains(t, string(out), said)
	}
	require.Equal(t, before, c.everything(t, ctx), "a plan changes nothing")

	c.kubectl(t, ctx, "create", "namespace", namespace)
	f := c.full(t, ctx, nil)
	charts, containers := 0, 0
	for _, n := range f.plan.Nodes() {
		switch r := f.request(t, n.Address); n.Executor {
		case container.Name:
			containers++
			f.takesContainer(t, ctx, r)
		case helm.Name:
			charts++
			c.takesChart(t, ctx, f, r)
		}
	}
	require.Equal(t, 6, charts)
	require.Equal(t, 2, containers)
	require.Empty(t, c.kubectl(t, ctx, "-n", namespace, "get", "all,secrets,pvc,pdb,ingresses", "-o", "name"), "they were dry runs")
	c.kubectl(t, ctx, "delete", "namespace", namespace, "--wait=true")
}

// everything is what the cluster has of what a bootstrap makes, by name.
func (c *inCluster) everything(t *testing.T, ctx context.Context) string {
	t.Helper()
	return c.kubectl(t, ctx, "get", "-A", "-o", "name", "namespaces,deployments,statefulsets,services,secrets,configmaps,serviceaccounts,roles,rolebindings,pvc,pdb,ingresses")
}

// full is environment zero of the profile full, once all of its secrets and addresses are known.
type full struct {
	plan *plan.Plan
	box  *secret.Box
	dir  string // has the template with its charts
	// authority is a certificate, in PEM.
	authority string
	made      *kubernetes.Executor
	helm      *helm.Executor
}

// account is who does it: the account of the namespace that a bootstrap makes, with its rights.
const account = "system:serviceaccount:" + namespace + ":runner"

func (c *inCluster) full(t *testing.T, ctx context.Context, more map[string]any) *full {
	t.Helper()
	somebody := httptest.NewTLSServer(http.NotFoundHandler())
	defer somebody.Close()
	f := &full{dir: t.TempDir(), authority: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: somebody.Certificate().Raw}))}
	var err error
	f.box, err = secret.NewBox(make([]byte, secret.KeySize))
	require.NoError(t, err)
	source, err := fs.Sub(bootstrap.Templates, "templates/meta")
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(f.dir, source))
	f.made = kubernetes.New(kubernetes.Options{Kubeconfig: []string{c.permitted(t, ctx)}, Namespace: namespace, ClusterPorts: true, Box: func() *secret.Box { return f.box }})
	f.helm = helm.New(helm.Options{Cluster: f.made.Room(), CacheDir: t.TempDir()})
	t.Cleanup(func() { f.helm.Close(); f.made.Close() })

	kinds := language.Kinds{container.Name: container.Kind(), helm.Name: f.helm.Kind()}
	for _, e := range initialise.New(initialise.Options{}) {
		kinds[e.Kind().Name] = e.Kind()
	}
	compiled, err := language.Compile(os.DirFS(f.dir), "", kinds)
	require.NoError(t, err)
	given, said := map[string]json.RawMessage{}, map[string]any{"location": "kubernetes", "profile": "full", "namespace": namespace, "account": "runner", "program": "/usr/bin/vivarium",
		"key": "the-key-of-the-cluster", "folder": "/vivarium", "catalogue": "", "image": "registry.example.test/vivarium:1", "api_host": "vivarium.example.test", "api_certificate": "front", "storage_class": "by-hand"}
	maps.Copy(said, more)
	for name, value := range said {
		given[name], err = json.Marshal(value)
		require.NoError(t, err)
	}
	f.plan, err = plan.Resolve(plan.Request{Environment: "meta", Templates: []*language.Template{compiled}, Parameters: given, Box: f.box})
	require.NoError(t, err)
	return f
}

// permitted is a kubeconfig of an account that has the rights of the service's runner.
func (c *inCluster) permitted(t *testing.T, ctx context.Context) string {
	t.Helper()
	role, err := json.Marshal(rbacv1.Role{TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role"},
		ObjectMeta: metav1.ObjectMeta{Name: "runner", Namespace: namespace}, Rules: append(kubernetes.Rights(), helm.Rights()...)})
	require.NoError(t, err)
	apply := c.command(ctx, "apply", "-f", "-")
	apply.Stdin = bytes.NewReader(role)
	out, err := apply.CombinedOutput()
	require.NoError(t, err, "%s", out)
	c.kubectl(t, ctx, "-n", namespace, "create", "serviceaccount", "runner")
	c.kubectl(t, ctx, "-n", namespace, "create", "rolebinding", "runner", "--role=runner", "--serviceaccount="+namespace+":runner")
	return c.tokenFile(t, strings.TrimSpace(c.kubectl(t, ctx, "-n", namespace, "create", "token", "runner")))
}

// request is what an executor gets of a node; what others put out is made up.
func (f *full) request(t *testing.T, address string) executor.Request {
	t.Helper()
	return f.requested(t, address, func(of string) (json.RawMessage, bool) {
		name := of[strings.LastIndex(of, ".")+1:]
		if strings.Contains(of, "vault_certificate") || strings.Contains(of, "derived_certificate") {
			value, err := json.Marshal(map[string]string{"certificate": f.authority, "private_key": "the-key-of-the-certificate", "ca": f.authority})
			require.NoError(t, err)
			return value, true
		}
		value, err := json.Marshal(map[string]string{"value": "value-of-" + name, "host": name + ".viv.svc", "address": "http://" + name + ".viv.svc:80", "path": name, "datacenter": "vivarium",
			"pki": "pki", "role": "role", "virtual_host": "vivarium"})
		require.NoError(t, err)
		return value, true
	})
}

// requested is the same, with what others have put out.
func (f *full) requested(t *testing.T, address string, outputs func(of string) (json.RawMessage, bool)) executor.Request {
	t.Helper()
	in, err := f.plan.Inputs(address, outputs)
	require.NoError(t, err, address)
	r := executor.Request{TaskRef: event.TaskRef{Environment: "meta", Operation: "o", Step: address, Attempt: 1}, Bundle: f.dir, WorkDir: t.TempDir(),
		Log: func(_, line string) { t.Log(line) }}
	r.Inputs, r.Secrets, err = f.box.Open(in.Data)
	require.NoError(t, err)
	return r
}

// takesContainer: the executor has the API server validate every object strictly in a plan, where the namespace is there.
func (f *full) takesContainer(t *testing.T, ctx context.Context, r executor.Request) {
	t.Helper()
	p, err := f.made.Plan(ctx, r, event.Apply)
	require.NoError(t, err, r.Step)
	require.Equal(t, event.ChangeCreate, p.Change)
	said, err := json.Marshal(p.Differences)
	require.NoError(t, err)
	for _, object := range []string{"Deployment meta-", "Service "} {
		require.Contains(t, string(said), object, r.Step)
	}
}

// takesChart has the chart rendered as Helm would there, and every object of it validated.
func (c *inCluster) takesChart(t *testing.T, ctx context.Context, f *full, r executor.Request) {
	t.Helper()
	p, err := f.helm.Plan(ctx, r, event.Apply)
	require.NoError(t, err, r.Step)
	require.Equal(t, event.ChangeCreate, p.Change)
	var of struct {
		Chart, Name string
		Values      map[string]any
	}
	require.NoError(t, json.Unmarshal(r.Inputs, &of))
	chart, err := loader.Load(filepath.Join(f.dir, of.Chart))
	require.NoError(t, err)
	i := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	i.ClientOnly, i.DryRun, i.ReleaseName, i.Namespace = true, true, of.Name, namespace
	rel, err := i.RunWithContext(ctx, chart, of.Values)
	require.NoError(t, err, r.Step)
	cmd := c.command(ctx, "-n", namespace, "apply", "--server-side", "--dry-run=server", "--validate=strict", "--as", account, "-o", "name", "-f", "-")
	cmd.Stdin = strings.NewReader(rel.Manifest)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", r.Step, out)
	require.NotContains(t, string(out), "Warning", r.Step)
	require.Equal(t, strings.Count("\n"+rel.Manifest, "\nkind: "), strings.Count(string(out), "\n"), "%s: every object is asked about: %s", r.Step, out)
}
