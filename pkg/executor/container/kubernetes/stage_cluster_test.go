//go:build kubernetes

package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/test/servers"
)

// sample is the image of the program that tests run, in two versions that are the same.
const sample = "k8s.local/sample:1"

// underway is an image whose name is what the suite waits for in the log.
const underway = "k8s.local/" + executortest.Underway + ":1"

// kubeconfigVariable tells the suite's child which cluster its parent uses.
const kubeconfigVariable = "KUBERNETES_TEST_KUBECONFIG"

var loaded bool

func TestMain(m *testing.M) { servers.Main(m) }

// cluster is the one of this process, with the images.
func cluster(t *testing.T) *servers.Kubernetes {
	t.Helper()
	k := servers.SharedKubernetes(t)
	if !loaded {
		loaded = true
		for _, image := range []string{sample, "k8s.local/sample:2", underway} {
			require.NoError(t, k.LoadImage(t.Context(), image, servers.SampleApp))
		}
	}
	return k
}

// stage is one step on the cluster.
type stage struct {
	*Executor
	t       *testing.T
	k       *servers.Kubernetes
	request executor.Request
	log     *executortest.Log
}

// newStage has an environment of its own, whatever the test is called.
func newStage(t *testing.T, o Options) *stage {
	k := cluster(t)
	if o.Kubeconfig == nil {
		o.Kubeconfig = []string{k.Kubeconfig()}
	}
	o.Box = fixed
	e := New(o)
	t.Cleanup(e.Close)
	log := &executortest.Log{}
	s := &stage{Executor: e, t: t, k: k, log: log, request: executor.Request{
		TaskRef: event.TaskRef{Environment: "t-" + short(t.Name()+strconv.FormatInt(time.Now().UnixNano(), 36)), Step: "notes.container.api", Attempt: 1, Epoch: 1},
		Secrets: []string{hidden}, Log: log.Add,
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Destroy(ctx, s.request))
	})
	return s
}

// session talks to the cluster as the executor does.
func (s *stage) session() *session {
	found, err := s.begin(s.t.Context(), s.request, true)
	require.NoError(s.t, err)
	return found
}

func (s *stage) apply(inputs string) (executor.Outputs, error) {
	s.t.Helper()
	s.request.Inputs = json.RawMessage(inputs)
	s.request.Attempt++
	return s.Apply(s.t.Context(), s.request)
}

func (s *stage) applied(inputs string) executor.Outputs {
	s.t.Helper()
	o, err := s.apply(inputs)
	require.NoError(s.t, err)
	return o
}

// live is an object of the step's namespace, which has to be there.
func (s *stage) live(k kind, name string) live {
	s.t.Helper()
	o, err := s.session().of(k).Get(s.t.Context(), name, metav1.GetOptions{})
	require.NoError(s.t, err)
	return o
}

// all are the objects of a kind in the step's namespace.
func (s *stage) all(k kind) []unstructured.Unstructured {
	s.t.Helper()
	list, err := s.session().of(k).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	return list.Items
}

// get asks an address inside the cluster's network.
func (s *stage) get(address, path string) (string, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return s.k.Dial(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// answers waits until the address answers with the text: the rules of a Service follow its pods after a moment.
func (s *stage) answers(address, path, want string) {
	s.t.Helper()
	var got string
	var err error
	require.Eventually(s.t, func() bool {
		got, err = s.get(address, path)
		return err == nil && got == want
	}, 30*time.Second, 50*time.Millisecond, "%s%s should answer %q", address, path, want)
}

// address is the Service's of the step, inside the cluster.
func (s *stage) address(port int) string {
	s.t.Helper()
	ip, _, err := unstructured.NestedString(s.live(services, s.place(s.request).service).Object, "spec", "clusterIP")
	require.NoError(s.t, err)
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

func query(path, name, value string) string { return path + "?" + name + "=" + url.QueryEscape(value) }

func output[T any](t *testing.T, o executor.Outputs, name string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal(o[name].Value, &v))
	return v
}

// impersonating gives the executor the rights of somebody else, whom the administrator stands in for.
func impersonating(t *testing.T, k *servers.Kubernetes, user string) string {
	t.Helper()
	text, err := os.ReadFile(k.Kubeconfig())
	require.NoError(t, err)
	file := t.TempDir() + "/kubeconfig"
	const before = "user: {client-certificate-data"
	require.Contains(t, string(text), before)
	require.NoError(t, os.WriteFile(file, bytes.Replace(text, []byte(before), []byte("user: {as: "+user+", client-certificate-data"), 1), 0o600))
	return file
}
