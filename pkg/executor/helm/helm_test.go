package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/client-go/rest"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const hidden = "correct-horse-battery-staple"

// elsewhere is a cluster of tests, with one namespace.
type elsewhere struct{ host string }

func (e elsewhere) Config() (*rest.Config, string, error) {
	return &rest.Config{Host: e.host, QPS: -1}, e.host, nil
}
func (elsewhere) Place(executor.Request) (string, string)       { return "teams", "web" }
func (elsewhere) Enter(context.Context, executor.Request) error { return nil }
func (elsewhere) Leave(context.Context, executor.Request) error { return nil }
func inspecting(root fs.FS, static map[string]cty.Value) (template.Inspection, hcl.Diagnostics) {
	return inspect(template.InspectRequest{Root: root, Static: static})
}

func request(inputs string) executor.Request {
	return executor.Request{TaskRef: event.TaskRef{Environment: "notes", Step: "notes.helm_release.web"}, Inputs: json.RawMessage(inputs),
		Secrets: []string{hidden}, Bundle: "testdata"}
}

func TestInspect(t *testing.T) {
	none := cty.NullVal(cty.String)
	text := cty.StringVal
	chartFile := []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")
	root := fstest.MapFS{
		"charts/web/Chart.yaml":  {Data: chartFile},
		"charts/web/values.yaml": {Data: []byte("a: 1\n")},
		"library/Chart.yaml":     {Data: append([]byte("type: library\n"), chartFile...)},
		"lacking/Chart.yaml":     {Data: append([]byte("dependencies: [{name: db, version: 1.0.0, repository: 'https://x.test'}]\n"), chartFile...)},
		"broken/Chart.yaml":      {Data: []byte("name: [\n")},
		"folder/file":            {Data: []byte("x")},
	}
	for name, c := range map[string]struct {
		chart, repository, version cty.Value
		bundle, says               string
	}{
		"a folder":              {text("./charts/web"), none, none, "charts/web", ""},
		"no chart":              {text("./folder"), none, none, "", "no folder with a Chart.yaml"},
		"outside":               {text("../web"), none, none, "", "leaves the template's folder"},
		"a library":             {text("./library"), none, none, "", "type library"},
		"lacks its charts":      {text("./lacking"), none, none, "", "lacks charts that it depends on"},
		"broken":                {text("./broken"), none, none, "", "no chart that Helm can read"},
		"a repository's":        {text("web"), text("https://charts.example.test"), text("1.2.3"), "", ""},
		"a registry's":          {text("oci://registry.example.test/web"), none, text("1.2.3"), "", ""},
		"without a version":     {text("web"), text("https://charts.example.test"), none, "", "has to be there"},
		"a folder's version":    {text("./charts/web"), none, text("1"), "", "in its Chart.yaml"},
		"a strange repository":  {text("web"), text("oci://registry.example.test"), text("1"), "", "named by their address"},
		"twice the same place":  {text("oci://registry.example.test/web"), text("https://charts.example.test"), text("1"), "", "an address of its own"},
		"not known when needed": {text(""), none, none, "", "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			found, diags := inspecting(root, map[string]cty.Value{"chart": c.chart, "repository": c.repository, "version": c.version})
			if c.says == "" {
				require.False(t, diags.HasErrors(), "%v", diags)
				require.Equal(t, c.bundle, found.Bundle)
				return
			}
			require.True(t, diags.HasErrors())
			require.Contains(t, diags.Error(), c.says)
		})
	}
}

func TestValuesAreNumbers(t *testing.T) {
	b, err := decode(request(`{"chart":"./web","values":{"whole":1000000,"half":0.5,"in":[7,{"deep":12345678901}]}}`))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"whole": int64(1000000), "half": 0.5, "in": []any{int64(7), map[string]any{"deep": int64(12345678901)}}}, b.Values)
	require.True(t, equal(b.Values, map[string]any{"whole": 1e6, "half": 0.5, "in": []any{7.0, map[string]any{"deep": 12345678901.0}}}), "as a record has them")
	require.False(t, equal(b.Values, map[string]any{"whole": 1e6}))
}

func TestWrongBlocks(t *testing.T) {
	for inputs, says := range map[string]string{
		`[]`:                             "not those of a helm_release",
		`{"chart":""}`:                   "is empty",
		`{"chart":"./web","name":"Web"}`: "can't be the name of a release",
		`{"chart":"./web","wait_timeout":"soon"}`: "no duration",
	} {
		_, err := decode(request(inputs))
		require.True(t, fault.Is(err, fault.Invalid), "%v", err)
		require.ErrorContains(t, err, says)
	}
}

// TestFormerSecrets: what was a secret of the revision that is deployed is hidden as well, and so is a secret that a chart has encoded.
func TestFormerSecrets(t *testing.T) {
	r := request("{}")
	values := map[string]any{"open": "yes", "list": []any{"a", hidden}, "deep": map[string]any{"password": hidden}}
	paths := withheld(r, values)
	require.Equal(t, [][]string{{"deep", "password"}, {"list"}}, paths)
	noted, err := json.Marshal(paths)
	require.NoError(t, err)
	rel := &release.Release{Config: values, Chart: &chart.Chart{Metadata: &chart.Metadata{Annotations: map[string]string{annotationWithheld: string(noted)}}}}
	r.Secrets = []string{"the-new-password"}
	v := newVeil(r, formerly(rel)...)
	for _, text := range []string{hidden, "the-new-password", base64.StdEncoding.EncodeToString([]byte(hidden))} {
		require.True(t, v.holds("x="+text), text)
	}
	require.False(t, v.holds("yes"))
}

// TestManifests: a difference is told field by field, without what nobody may see.
func TestManifests(t *testing.T) {
	s := &session{r: request("{}"), veil: newVeil(request("{}"))}
	before := &release.Release{Manifest: "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {x: one, y: same}\n---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: gone}\n" +
		"---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: stays, annotations: {helm.sh/resource-policy: keep}}\n"}
	after := &release.Release{Manifest: "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {x: two, y: same, z: " + hidden + "}\n---\nkind: Secret\napiVersion: v1\nmetadata: {name: s}\ndata: {p: eA==}\n"}
	require.Equal(t, []event.Difference{
		{Path: "ConfigMap a: data.x", Change: event.ChangeUpdate, Before: "one", After: "two"},
		{Path: "ConfigMap a: data.z", Change: event.ChangeCreate, After: "(sensitive)", Sensitive: true},
		{Path: "ConfigMap gone", Change: event.ChangeDestroy},
		{Path: "Secret s", Change: event.ChangeCreate},
	}, s.manifests(before, after))
	require.NotEqual(t, s.fingerprint(before), s.fingerprint(after))
	other := &release.Release{Manifest: strings.Replace(after.Manifest, "eA==", "eQ==", 1)}
	require.Equal(t, s.fingerprint(after), s.fingerprint(other), "it is not made of what a Secret has")
}

// TestDigest is of the chart's files, whatever Helm does with the chart.
func TestDigest(t *testing.T) {
	s := &session{Executor: New(Options{}), r: request(`{"chart":"./web"}`)}
	var err error
	s.block, err = decode(s.r)
	require.NoError(t, err)
	one, err := s.chart()
	require.NoError(t, err)
	two, err := s.chart()
	require.NoError(t, err)
	require.Equal(t, one.Metadata.Annotations, two.Metadata.Annotations)
	require.Equal(t, "notes.helm_release.web", one.Metadata.Annotations[annotationStep])
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "web/values.yaml"), []byte("replicas: 2\n"), 0o600))
	s.r.Bundle = dir
	other, err := s.chart()
	require.NoError(t, err)
	require.NotEqual(t, one.Metadata.Annotations[annotationFiles], other.Metadata.Annotations[annotationFiles])
	s.r.Bundle = t.TempDir()
	_, err = s.chart()
	require.ErrorContains(t, err, "did not travel")
}

// packed is a chart's archive.
func packed(t *testing.T) []byte {
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	require.NoError(t, fs.WalkDir(os.DirFS("testdata"), "web", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err = archive.Write(text)
		return err
	}))
	require.NoError(t, archive.Close())
	require.NoError(t, zipped.Close())
	return out.Bytes()
}

// TestRepository fetches a chart once, with the block's credentials, and holds it against its digest.
func TestRepository(t *testing.T) {
	data, asked, digest := packed(t), atomic.Int32{}, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if _, password, _ := r.BasicAuth(); password != hidden {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/charts/index.yaml":
			_, _ = fmt.Fprintf(w, "apiVersion: v1\nentries: {web: [{apiVersion: v2, name: web, version: 1.2.0, digest: %q, urls: [files/web.tgz]}]}\n", digest)
		case "/charts/files/web.tgz":
			_, _ = w.Write(data)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	get := func(version, password string) (*chart.Chart, error) {
		e := New(Options{CacheDir: dir})
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		e.transport = transport
		s := &session{Executor: e, ctx: t.Context(), r: request(fmt.Sprintf(`{"chart":"web","repository":%q,"version":%q,"username":"me","password":%q}`,
			server.URL+"/charts", version, password))}
		s.r.WorkDir, s.veil = dir, newVeil(s.r)
		var err error
		s.block, err = decode(s.r)
		require.NoError(t, err)
		return s.unmarked()
	}
	digest = hash([]byte("something else"))
	_, err := get("1.2.0", hidden)
	require.True(t, fault.Is(err, fault.Unreadable), "%v", err)
	_, err = get("1.2.0", "wrong-password")
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	require.ErrorContains(t, err, "401")
	_, err = get("9.9.9", hidden)
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	digest = hash(data)
	c, err := get("1.2.0", hidden)
	require.NoError(t, err)
	require.Equal(t, "7", c.Metadata.AppVersion)
	before := asked.Load()
	_, err = get("1.2.0", hidden)
	require.NoError(t, err)
	require.Equal(t, before, asked.Load(), "a chart with a version is fetched once")
}

// TestUnreachable: what does not answer is waited for; who may not, is told so, and no secret is in what is said.
func TestUnreachable(t *testing.T) {
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"secrets is forbidden, says ` + hidden + `","reason":"Forbidden","code":403}`))
	}))
	defer denied.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for host, want := range map[string]fault.Code{denied.URL: fault.PermissionDenied, closed.URL: fault.Unavailable} {
		e := New(Options{Cluster: elsewhere{host}})
		defer e.Close()
		r := request(`{"chart":"./web"}`)
		_, err := e.Apply(t.Context(), r)
		require.True(t, fault.Is(err, want), "%v", err)
		require.NotContains(t, err.Error(), hidden)
		o, err := e.Observe(t.Context(), r)
		require.True(t, fault.Is(err, want), "%v", err)
		require.Equal(t, event.PresenceUnknown, o.Presence, "nothing is proven by no answer")
		require.True(t, fault.Is(e.Destroy(t.Context(), r), want))
		require.Equal(t, host+" (teams)", e.Target(r))
	}
}
