//go:build kubernetes

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
)

// plainly is healthy quickly.
const plainly = `"pull":"never","stop_timeout":"1s","health":{"http":{"path":"/health","port":8080},"interval":"1s"},"update":{"health_timeout":"150s"}`

func TestSuite(t *testing.T) {
	kubeconfig := os.Getenv(kubeconfigVariable)
	if kubeconfig == "" {
		kubeconfig = cluster(t).Kubeconfig()
		t.Setenv(kubeconfigVariable, kubeconfig)
	}
	made := func() *Executor { return New(Options{Kubeconfig: []string{kubeconfig}, Box: fixed}) }
	executortest.Run(t, executortest.Suite{
		New: func(t *testing.T, _ string) executor.Executor {
			e := made()
			t.Cleanup(e.Close)
			return e
		},
		Plain: json.RawMessage(`{"image":"` + sample + `","env":{"VERSION":"1"},"port":[{"container":8080}],` + plainly + `}`),
		Other: json.RawMessage(`{"image":"k8s.local/sample:2","env":{"VERSION":"2"},"expose":[{"host":"notes.example.test","port":8080}],` + plainly + `}`),
		Partial: &executortest.Partial{
			Inputs:  json.RawMessage(`{"image":"` + sample + `","env":{"VERSION":null},"port":[{"container":8080}],` + plainly + `}`),
			Unknown: map[string][]string{"env.VERSION": {"sample.terraform.network"}},
		},
		WithSecret: json.RawMessage(fmt.Sprintf(`{"image":%q,"env":{"PASSWORD":%[2]q},"files":{"/etc/password":%[2]q},"port":[{"container":8080}],%s}`,
			sample, executortest.Secret, plainly)),
		Slow: func(gate string) json.RawMessage {
			return json.RawMessage(fmt.Sprintf(`{"image":%q,"pull":"never","stop_timeout":"1s","env":{"GATE":"/gate/%s"},"volume":[{"host_path":%q,"path":"/gate"}],
				"health":{"http":{"path":"/health","port":8080},"interval":"1s","start_period":"120s"}}`, underway, filepath.Base(gate), filepath.Dir(gate)))
		},
		Changed: func(lines []string) bool { return !strings.Contains(strings.Join(lines, "\n"), "nothing to change") },
		Tamper: func(t *testing.T, r executor.Request) {
			e := made()
			defer e.Close()
			s, err := e.begin(t.Context(), r, true)
			require.NoError(t, err)
			patch := fmt.Sprintf(`{"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"%s","image":"k8s.local/other:1"}]}}}}`, s.at.service)
			_, err = s.of(deployments).Patch(t.Context(), s.at.name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "somebody"})
			require.NoError(t, err)
			require.NoError(t, s.of(services).Delete(t.Context(), s.at.service, metav1.DeleteOptions{}))
		},
	})
}
