package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// asked tells whether VIVARIUM_BOOTSTRAP names a location that is not part of every run.
func asked(location string) bool {
	return strings.Contains(","+os.Getenv("VIVARIUM_BOOTSTRAP")+",", ","+location+",")
}

// inCluster is a place whose location is a cluster.
type inCluster struct {
	*Place
	k *servers.Kubernetes
}

// clustered is a place in the test's cluster, which has images and that many volumes for it.
func clustered(t *testing.T, ctx context.Context, volumes int) *inCluster {
	t.Helper()
	c := &inCluster{place(t, ctx), servers.SharedKubernetes(t)}
	c.Location, c.Kubeconfig = "vivarium", c.k.Kubeconfig()
	t.Cleanup(func() { c.end(t) })
	require.NoError(t, c.load(ctx, c.k))
	c.volumes(t, ctx, volumes)
	return c
}

// TestBootstrapInKubernetes is the same in a cluster: refused without rights, raised, killed, raised again, updated, unsealed and destroyed.
func TestBootstrapInKubernetes(t *testing.T) {
	if !asked("kubernetes") {
		t.Skip("VIVARIUM_BOOTSTRAP=kubernetes (make test-bootstrap) starts a cluster, packs images, and runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	c := clustered(t, ctx, 8)
	p := c.Place
	c.wantsAnImage(t, ctx)
	c.pulls(t, ctx)

	out, err := p.Bootstrap(ctx, "--plan").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Nothing was done.")
	require.NotContains(t, string(out), "can't be told", "that there is no namespace yet is no trouble")
	c.weak(t, ctx)
	require.Empty(t, c.kubectl(t, ctx, "get", "namespace", namespace, "--ignore-not-found", "-o", "name"))

	printed := ""
	for _, moment := range []string{"complete   vault_cluster.vault", "complete   container.server", "Handover"} {
		text, _ := killed(t, p.Bootstrap(ctx), moment)
		printed += text
	}
	text, err := killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, "%s\nand before:\n%s", text, printed)
	require.Contains(t, text, "no change")
	c.shows(t, ctx)
	c.runsWhatWasPushed(t, ctx, printed+text)
	p.keepsSecrets(t, printed+text)
	c.plainObjects(t, ctx)
	c.trusts(t, ctx)
	c.keepsKeys(t, ctx, printed+text)
	c.refuses(t, ctx)

	c.spoilsBroker(t, ctx)
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "started anew")
	c.shows(t, ctx)

	c.order(t, ctx, "env", "update", "meta", "--param", "log_level=debug")
	require.Eventually(t, func() bool { return c.status(ctx, "meta") == "deployed" && c.logLevel(t, ctx) == "debug" }, patience, time.Second)
	c.shows(t, ctx)

	c.kubectl(t, ctx, "-n", namespace, "delete", "pods", "--all", "--wait=true")
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, "after all pods were lost, and Vault is sealed: %s", text)
	c.shows(t, ctx)
	c.trusts(t, ctx)

	c.order(t, ctx, "env", "destroy", Further, "--yes", "--wait")
	text, err = killed(t, p.Destroy(ctx), "complete   container.consul")
	require.Error(t, err, text)
	text, err = killed(t, p.Destroy(ctx), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "What this has pushed stays there")
	require.NoDirExists(t, p.Work())
	require.Empty(t, c.kubectl(t, ctx, "get", "namespace", namespace, "--ignore-not-found", "-o", "name"), "the namespace was made, and is gone")
}

// spoilsBroker is what Place.spoilsBroker does, in the broker's pod.
func (c *inCluster) spoilsBroker(t *testing.T, ctx context.Context) {
	t.Helper()
	name := ""
	for _, of := range strings.Fields(c.kubectl(t, ctx, "-n", namespace, "get", "deployments", "-o", "name")) {
		if strings.Contains(of, "/meta-broker-") {
			name = of
		}
	}
	c.kubectl(t, ctx, "-n", namespace, "exec", name, "--", "rabbitmqctl", "eval", servers.EndsQuorumQueues)
}

// kubectl is the cluster's, as its administrator.
func (c *inCluster) kubectl(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	cmd := c.command(ctx, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "kubectl %v: %s", args, out)
	return string(out)
}

func (c *inCluster) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.k.Kubectl(), append([]string{"--kubeconfig", c.k.Kubeconfig()}, args...)...)
	return cmd
}

// volumes are there before they are claimed, as nothing makes them here.
func (c *inCluster) volumes(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	var all strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&all, "---\n{apiVersion: v1, kind: PersistentVolume, metadata: {name: v%d}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], "+
			"storageClassName: by-hand, hostPath: {path: %q, type: DirectoryOrCreate}}}\n", i, filepath.Join(c.Dir, fmt.Sprint("volume", i)))
	}
	cmd := c.command(ctx, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(all.String())
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
}

// weak is somebody who may not do all of it, at the cluster's address: what is missing is said before anything is changed.
func (c *inCluster) weak(t *testing.T, ctx context.Context) {
	t.Helper()
	c.kubectl(t, ctx, "create", "serviceaccount", "weak")
	c.kubectl(t, ctx, "create", "clusterrole", "weak", "--verb=get,list,watch,create,patch,delete",
		"--resource=namespaces,secrets,configmaps,persistentvolumeclaims,services,deployments.apps,ingresses.networking.k8s.io,serviceaccounts,roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io")
	c.kubectl(t, ctx, "create", "clusterrolebinding", "weak", "--clusterrole=weak", "--serviceaccount=default:weak")
	token := strings.TrimSpace(c.kubectl(t, ctx, "create", "token", "weak"))
	file := c.tokenFile(t, token)
	for _, args := range [][]string{{"--plan"}, nil} {
		cmd := c.Bootstrap(ctx, append(args, "--location", "https://"+c.k.Address())...)
		cmd.Env = append(cmd.Env, "KUBECONFIG="+file)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "%s", out)
		require.Contains(t, string(out), "create on pods/portforward; get, list, watch, delete on pods; get on pods/log; list, watch on replicasets of apps; list on events; nothing was changed")
		require.NotContains(t, string(out), token)
	}
	require.NoError(t, os.RemoveAll(c.Work()))
}

// tokenFile is the cluster's kubeconfig with a token in place of the administrator's certificate.
func (c *inCluster) tokenFile(t *testing.T, token string) string {
	t.Helper()
	text, err := os.ReadFile(c.k.Kubeconfig())
	require.NoError(t, err)
	i, j := strings.Index(string(text), "user: {client"), strings.Index(string(text), "contexts:")
	require.Positive(t, i)
	file := filepath.Join(c.Dir, "with-a-token")
	require.NoError(t, os.WriteFile(file, []byte(string(text[:i])+"user: {token: "+token+"}}]\n"+string(text[j:])), 0o600))
	return file
}

// order has a command run within the server's pod, as people would.
func (c *inCluster) order(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	out, err := c.ordered(ctx, args...)
	require.NoError(t, err, "%s", out)
	return out
}

func (c *inCluster) ordered(ctx context.Context, args ...string) (string, error) {
	name, err := c.command(ctx, "-n", namespace, "get", "deployments", "-l", "app.kubernetes.io/name=server", "-o", "name").Output()
	if err != nil {
		return "", err
	}
	line := append([]string{"-n", namespace, "exec", strings.TrimSpace(string(name)), "--", "/usr/bin/vivarium"}, args...)
	out, err := c.command(ctx, append(line, "--data-dir", "/vivarium/data")...).Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		err = fmt.Errorf("%w: %s", err, ended.Stderr)
	}
	return string(out), err
}

func (c *inCluster) environments(ctx context.Context) (names []string) {
	out, err := c.ordered(ctx, "env", "list", "-o", "json")
	if err != nil {
		return nil // the server may be away
	}
	var list []struct{ Name, Status string }
	if json.Unmarshal([]byte(out), &list) != nil {
		return nil
	}
	for _, e := range list {
		names = append(names, e.Name+" "+e.Status)
	}
	return names
}

func (c *inCluster) status(ctx context.Context, name string) string {
	for _, e := range c.environments(ctx) {
		if of, status, _ := strings.Cut(e, " "); of == name {
			return status
		}
	}
	return ""
}

// shows that both environments are deployed, and that nothing is to be changed.
func (c *inCluster) shows(t *testing.T, ctx context.Context) {
	t.Helper()
	require.Eventually(t, func() bool {
		return c.status(ctx, "meta") == "deployed" && c.status(ctx, Further) == "deployed"
	}, patience, time.Second, "it may be healing what the loss of a pod was seen as")
	out := c.order(t, ctx, "env", "plan", "meta", "--detailed-exitcode")
	require.NotEmpty(t, out)
}

// logLevel is what the server's pod has now.
func (c *inCluster) logLevel(t *testing.T, ctx context.Context) string {
	t.Helper()
	return c.kubectl(t, ctx, "-n", namespace, "get", "deployments", "-l", "app.kubernetes.io/name=server",
		"-o", `jsonpath={.items[0].spec.template.spec.containers[0].env[?(@.name=="VIVARIUM_LOG_LEVEL")].value}`)
}

// plainKinds are what is no Secret.
const plainKinds = "deployments,pods,services,configmaps,replicasets,events,persistentvolumeclaims,serviceaccounts"

// plainObjects have none of the secrets, in clear or in base64: what is secret is in Secrets.
func (c *inCluster) plainObjects(t *testing.T, ctx context.Context) {
	t.Helper()
	var secrets struct {
		Items []struct {
			Metadata struct{ Name string }
			Data     map[string][]byte
		}
	}
	require.NoError(t, json.Unmarshal([]byte(c.kubectl(t, ctx, "-n", namespace, "get", "secrets", "-o", "json")), &secrets))
	require.NotEmpty(t, secrets.Items)
	plain := c.kubectl(t, ctx, "-n", namespace, "get", plainKinds, "-o", "json")
	found := 0
	for _, s := range secrets.Items {
		for key, value := range s.Data {
			if strings.HasPrefix(key, "env.") {
				found++
				require.NotContains(t, plain, string(value), "%s of %s", key, s.Metadata.Name)
			}
		}
	}
	require.Greater(t, found, 4, "the key, the bus and tokens")
	for _, s := range c.secrets(t) {
		require.NotContains(t, plain, s)
	}
}

// refuses a second bootstrap in the same namespace, and the destruction while others would be left behind.
func (c *inCluster) refuses(t *testing.T, ctx context.Context) {
	t.Helper()
	for says, args := range map[string][]string{
		"somebody else's Vivarium": {"--work", filepath.Join(c.Dir, "second"), "--keys", filepath.Join(c.Dir, "second.json")},
		"whose contexts are":       {"--work", filepath.Join(c.Dir, "third"), "--location", "elsewhere", "--plan"},
		"further environments":     {"--destroy"},
	} {
		out, err := c.Bootstrap(ctx, args...).CombinedOutput()
		require.Error(t, err, "%v: %s", args, out)
		require.Contains(t, string(out), says, "%v", args)
	}
}

// end says what the cluster has when the test has failed; it goes with all that is in it.
func (c *inCluster) end(t *testing.T) {
	if t.Failed() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, args := range [][]string{{"get", "all,pvc,events", "-o", "wide"}, {"logs", "-l", "app.kubernetes.io/name=server", "--tail=50"}, {"logs", "-l", "app.kubernetes.io/name=server", "--tail=50", "--previous"}, {"logs", "-l", "app.kubernetes.io/name=runner", "--tail=50"},
			{"logs", "-l", "app.kubernetes.io/name=broker", "--tail=50"}, {"logs", "-l", "app.kubernetes.io/name=consul", "--tail=30"}, {"logs", "-l", "app.kubernetes.io/name=vault", "--tail=30"}} {
			out, err := c.command(ctx, append([]string{"-n", namespace}, args...)...).CombinedOutput()
			t.Logf("kubectl %v: %v\n%s", args, err, out)
		}
	}
	servers.StopSharedKubernetes()
}
