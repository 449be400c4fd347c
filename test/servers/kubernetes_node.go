package servers

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What the parts of the node read; words in braces stand for what only the start knows.
var (
	//go:embed kubernetes/containerd.toml
	containerdConfig string
	//go:embed kubernetes/kubelet.yaml
	kubeletConfig string
	//go:embed kubernetes/kube-proxy.yaml
	proxyConfig string
	//go:embed kubernetes/cni.json
	networkConfig string
	//go:embed kubernetes/Corefile
	namesConfig string
)

func (k *Kubernetes) containerd(name string) string { return filepath.Join(k.dir, "containerd", name) }

// writeNode writes the files that the parts of the node read.
func (k *Kubernetes) writeNode() error {
	words := strings.NewReplacer("{dir}", k.dir, "{node}", nodeName, "{ip}", nodeIP, "{pods}", podNetwork, "{plugins}", pluginDir,
		"{pause}", pauseImage, "{cgroup}", cgroupName(k.dir))
	for name, text := range map[string]string{
		"containerd.toml": containerdConfig, "kubelet.yaml": kubeletConfig, "kube-proxy.yaml": proxyConfig, "cni/10-bridge.conflist": networkConfig,
		"Corefile": namesConfig,
	} {
		if err := os.WriteFile(filepath.Join(k.dir, name), []byte(words.Replace(text)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// startContainerd returns when it answers and has the image that every pod needs.
func (k *Kubernetes) startContainerd(ctx context.Context) error {
	if err := k.runOther("containerd", "containerd", "--config", filepath.Join(k.dir, "containerd.toml")); err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for k.room.command(ctx, "ctr", "-a", k.containerd("sock"), "version").Run() != nil {
		select {
		case <-tick.C:
		case <-k.running["containerd"].done:
			return k.ended("containerd")
		case <-ctx.Done():
			return fmt.Errorf("containerd does not answer: %w; it said:\n%s", ctx.Err(), lastWords(k.log("containerd")))
		}
	}
	return k.LoadImage(ctx, pauseImage, pauseProgram)
}

// startNames starts what answers for the names of Services: on the node, as it needs no image there.
func (k *Kubernetes) startNames(context.Context) error {
	return k.runOther("coredns", k.names, "-conf", filepath.Join(k.dir, "Corefile"))
}

// startNode starts what makes a node of this machine.
func (k *Kubernetes) startNode(context.Context) error {
	if err := k.run("kubelet", "--config="+filepath.Join(k.dir, "kubelet.yaml"), "--kubeconfig="+k.pki("kubelet.kubeconfig"),
		"--root-dir="+filepath.Join(k.dir, "kubelet"), "--cert-dir="+filepath.Join(k.dir, "kubelet", "pki"),
		"--hostname-override="+nodeName, "--node-ip="+nodeIP); err != nil {
		return err
	}
	return k.run("kube-proxy", "--config="+filepath.Join(k.dir, "kube-proxy.yaml"))
}
