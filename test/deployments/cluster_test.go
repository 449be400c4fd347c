//go:build kubernetes

package deployments

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// TestCluster: a real cluster takes all of the manifests, gives the runner's account what the executor needs, and runs the small one with the
// image of the Containerfile.
func TestCluster(t *testing.T) {
	k := servers.SharedKubernetes(t)
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(k.Kubectl(), append([]string{"--kubeconfig", k.Kubeconfig()}, args...)...).CombinedOutput() //nolint:gosec // the test's own
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	file := func(name string) string { return path("kubernetes/" + name) }
	kubectl("apply", "-f", file("base.yaml"))
	for _, name := range []string{"base.yaml", "small.yaml", "full.yaml"} {
		require.NotContains(t, kubectl("apply", "--dry-run=server", "-f", file(name)), "Warning", "pods that the namespace does not take")
	}
	for _, right := range []string{"create namespaces", "patch deployments.apps", "create secrets", "delete ingresses.networking.k8s.io", "get pods --subresource=log", "delete pods",
		"update secrets", "create statefulsets.apps", "delete poddisruptionbudgets.policy"} {
		args := append([]string{"auth", "can-i", "--as", "system:serviceaccount:vivarium:vivarium-runner", "-n", "vivarium-some"}, strings.Fields(right)...)
		require.Contains(t, kubectl(args...), "yes", right)
	}
	require.Contains(t, kubectl("auth", "can-i", "--as", "system:serviceaccount:vivarium:vivarium-runner", "get", "nodes", "--subresource=proxy"), "yes")

	saved, err := builtImage(t).ImageSave(t.Context(), []string{image})
	require.NoError(t, err)
	require.NoError(t, k.LoadArchive(t.Context(), image, saved))
	require.NoError(t, saved.Close())
	data := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(data, 0o700))
	require.NoError(t, os.Chown(data, 65532, 65532))
	volume := filepath.Join(t.TempDir(), "volume.yaml")
	require.NoError(t, os.WriteFile(volume, []byte(`apiVersion: v1
kind: PersistentVolume
metadata: {name: vivarium-data}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 10Gi}
  hostPath: {path: `+data+`}
  claimRef: {namespace: vivarium, name: data-vivarium-0}
`), 0o600))
	kubectl("apply", "-f", volume, "-f", file("small.yaml"))
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command(k.Kubectl(), "--kubeconfig", k.Kubeconfig(), "-n", "vivarium", "describe", "pod,pvc").CombinedOutput() //nolint:gosec // the test's own
			t.Logf("%s", out)
		}
	})
	kubectl("-n", "vivarium", "rollout", "status", "statefulset/vivarium", "--timeout", patience.String())
	require.Contains(t, kubectl("-n", "vivarium", "logs", "vivarium-0"), "ready")
	require.FileExists(t, filepath.Join(data, "store.db"))
	kubectl("delete", "-f", file("small.yaml"), "--timeout", patience.String())
}
