//go:build kubernetes

package helm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container/kubernetes"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/test/servers"
)

// kubeconfigVariable tells the suite's child which cluster its parent uses.
const kubeconfigVariable = "KUBERNETES_TEST_KUBECONFIG"

var loaded bool

func TestMain(m *testing.M) { servers.Main(m) }

// cluster is the kubeconfig of the one of this process, which has the images.
func cluster(t *testing.T) string {
	t.Helper()
	if file := os.Getenv(kubeconfigVariable); file != "" {
		return file
	}
	k := servers.SharedKubernetes(t)
	if !loaded {
		loaded = true
		for _, image := range []string{"k8s.local/sample:1", "k8s.local/sample:2"} {
			require.NoError(t, k.LoadImage(t.Context(), image, servers.SampleApp))
		}
	}
	t.Setenv(kubeconfigVariable, k.Kubeconfig())
	return k.Kubeconfig()
}

// onCluster is an executor of the cluster.
func onCluster(t *testing.T, dir string) *Executor {
	t.Helper()
	under := kubernetes.New(kubernetes.Options{Kubeconfig: []string{cluster(t)}})
	e := New(Options{Cluster: under.Room(), CacheDir: dir})
	t.Cleanup(func() { e.Close(); under.Close() })
	return e
}

var (
	deploymentsResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	configMapsResource  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	podsResource        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

func TestSuite(t *testing.T) {
	t.Setenv(kubeconfigVariable, cluster(t))
	executortest.Run(t, executortest.Suite{
		New:    func(t *testing.T, dir string) executor.Executor { return onCluster(t, dir) },
		Bundle: "testdata",
		Plain:  json.RawMessage(`{"chart":"./web","values":{"version":"1"},"wait_timeout":"2m"}`),
		Other:  json.RawMessage(`{"chart":"./web","values":{"version":"2","image":"k8s.local/sample:2"},"wait_timeout":"2m"}`),
		Partial: &executortest.Partial{
			Inputs:  json.RawMessage(`{"chart":"./web","values":{"version":null},"wait_timeout":"2m"}`),
			Unknown: map[string][]string{"values.version": {"sample.terraform.network"}},
		},
		WithSecret: json.RawMessage(fmt.Sprintf(`{"chart":"./web","values":{"version":"1","password":%q},"wait_timeout":"2m"}`, executortest.Secret)),
		Slow: func(gate string) json.RawMessage {
			return json.RawMessage(fmt.Sprintf(`{"chart":"./web","values":{"gate":%q,"gatePath":%q},"wait_timeout":"2m"}`, filepath.Base(gate), filepath.Dir(gate)))
		},
		Changed: func(lines []string) bool { return !strings.Contains(strings.Join(lines, "\n"), "nothing to change") },
		Tamper: func(t *testing.T, r executor.Request) {
			s, err := onCluster(t, t.TempDir()).begin(t.Context(), r, true)
			require.NoError(t, err)
			_, err = s.objects.Resource(deploymentsResource).Namespace(s.namespace).Patch(t.Context(), s.name, types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{})
			require.NoError(t, err)
			require.NoError(t, s.objects.Resource(configMapsResource).Namespace(s.namespace).Delete(t.Context(), s.name, metav1.DeleteOptions{}))
		},
	})
}
