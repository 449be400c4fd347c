//go:build kubernetes

package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// envKubernetesDir makes this test program start a cluster there and wait to be killed.
const envKubernetesDir = "VIVARIUM_SERVERS_TEST_KUBERNETES_DIR"

func init() {
	children[envKubernetesDir] = func(dir string) {
		k, err := StartKubernetes(context.Background(), dir)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(k.Address())
		select {}
	}
}

// TestKubernetes: pods run, and when the cluster is stopped nothing of it is left.
func TestKubernetes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	defer cancel()
	require.NoError(t, InstallKubernetes(ctx, os.Stderr))
	before := machine(t)
	k, err := StartKubernetes(ctx, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, k.Kill()) }()
	o := pinnedKubernetes()
	require.NoError(t, o.locate())
	require.Equal(t, o.version, k.Version())
	require.NoError(t, k.LoadImage(ctx, "k8s.local/sample:1", SampleApp))
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(ctx, k.Kubectl(), append([]string{"--kubeconfig", k.Kubeconfig()}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	kubectl("run", "sample", "--image", "k8s.local/sample:1", "--image-pull-policy", "Never", "--env", "VERSION=one", "--port", "8080", "--expose")
	kubectl("wait", "pod/sample", "--for", "condition=Ready", "--timeout", "60s")
	require.Contains(t, kubectl("logs", "sample"), "serving")
	ip := kubectl("get", "service", "sample", "-o", "jsonpath={.spec.clusterIP}")
	require.Eventually(t, func() bool { return dials(ctx, k, net.JoinHostPort(ip, "8080")) }, 30*time.Second, 50*time.Millisecond)
	require.NotEqual(t, before, machine(t), "this test can see what a cluster leaves")

	k.Cut()
	require.False(t, answers(k.Address()))
	require.NoError(t, k.Mend())
	require.Contains(t, kubectl("get", "nodes"), nodeName)

	require.NoError(t, k.Stop(ctx))
	require.NoError(t, k.Stop(ctx), "stopping twice")
	gone(t, k.Address())
	require.Equal(t, before, machine(t))
}

func dials(ctx context.Context, k *Kubernetes, address string) bool {
	c, err := k.Dial(ctx, "tcp", address)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// machine is what a cluster could leave: interfaces, mounts, cgroups and processes of its programs.
func machine(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	interfaces, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range interfaces {
		if !strings.HasPrefix(i.Name, "vivd") && !strings.HasPrefix(i.Name, "veth") && !strings.HasPrefix(i.Name, "br-") { // other tests have engines
			found["interfaces"] = append(found["interfaces"], i.Name)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "kubelet") || strings.Contains(line, "cni") {
			found["mounts"] = append(found["mounts"], line)
		}
	}
	for _, h := range hierarchies() {
		mine, err := filepath.Glob(filepath.Join(h, cgroupPrefix+"*"))
		require.NoError(t, err)
		found["cgroups"] = append(found["cgroups"], mine...)
	}
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	require.NoError(t, err)
	for _, exe := range programs {
		if program, err := os.Readlink(exe); err == nil && strings.HasPrefix(filepath.Base(program), "kube") {
			found["processes"] = append(found["processes"], exe)
		}
	}
	return found
}

// TestKubernetesEndsWithItsProcess kills a process that runs a cluster; all of it ends, and the next one removes the cgroups.
func TestKubernetesEndsWithItsProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	before := machine(t)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), envKubernetesDir+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	address := strings.TrimSpace(line)
	require.True(t, answers(address), address)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	gone(t, address)
	require.Eventually(t, func() bool { return len(machine(t)["processes"]) == len(before["processes"]) }, 20*time.Second, 20*time.Millisecond)
	require.Eventually(t, func() bool {
		removeStaleCgroups()
		return len(machine(t)["cgroups"]) == len(before["cgroups"])
	}, 20*time.Second, 50*time.Millisecond)
	now := machine(t)
	delete(now, "processes")
	delete(before, "processes")
	require.Equal(t, before, now)
}
