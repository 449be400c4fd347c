package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// kubernetesPrograms are what the one program is, by the name that it is called by.
var kubernetesPrograms = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"}

// pluginDir is where Debian puts the plugins of the container network interface.
const pluginDir = "/usr/lib/cni"

// KubernetesBinary returns the path of a program that is all of a small Kubernetes, etcd and kubectl included, built from
// pinned modules when this machine has not built that version yet (about 10 minutes with a cold cache, at low priority,
// said to progress). It has to be called from within the checkout. Two processes that call it at once build once.
func KubernetesBinary(ctx context.Context, progress io.Writer) (string, error) {
	return pinnedKubernetes().get(ctx, progress)
}

func pinnedKubernetes() *pinnedProgram {
	return &pinnedProgram{
		title: "Kubernetes", folder: "kubernetes/hyper", name: "kubernetes", takes: "about 10 minutes",
		requires: "k8s.io/kubernetes", main: ".", sources: []string{"main.go"}, versioned: "k8s.io/component-base/version.gitVersion",
	}
}

// pinnedCoreDNS has the plugins that a cluster needs, and no others.
func pinnedCoreDNS() *pinnedProgram {
	return &pinnedProgram{
		title: "CoreDNS", folder: "kubernetes/coredns", name: "coredns", takes: "2 to 4 minutes", requires: "github.com/coredns/coredns", main: ".",
		sources: []string{"main.go"},
	}
}

// missingForKubernetes are the Debian packages whose programs are not there.
func missingForKubernetes() (packages []string) {
	for program, name := range map[string]string{
		"containerd": "containerd", "runc": "runc", "conntrack": "conntrack", "iptables": "iptables", "ip": "iproute2", "nsenter": "util-linux",
	} {
		if _, err := exec.LookPath(program); err != nil {
			packages = append(packages, name)
		}
	}
	if _, err := os.Stat(filepath.Join(pluginDir, "bridge")); err != nil {
		packages = append(packages, "containernetworking-plugins")
	}
	return packages
}

func errNoKubernetes(missing []string) error {
	return fmt.Errorf("a Kubernetes cluster needs what is not installed here: install %[1]s (Debian: apt-get install %[1]s), or run this as root on Debian, which installs it",
		strings.Join(missing, " "))
}

// InstallKubernetes makes sure that there is what a cluster needs of the machine: as root on Debian it installs the
// packages that are missing, and says so to progress; elsewhere it returns what to install.
func InstallKubernetes(ctx context.Context, progress io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("a Kubernetes cluster has to be started by root: it makes namespaces, mounts and cgroups")
	}
	missing := missingForKubernetes()
	if len(missing) == 0 {
		return nil
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return errNoKubernetes(missing)
	}
	unlock, err := lockFile(ctx, filepath.Join(os.TempDir(), installLock))
	if err != nil {
		return err
	}
	defer unlock()
	if missing = missingForKubernetes(); len(missing) == 0 {
		return nil // another process has installed them meanwhile
	}
	_, _ = fmt.Fprintf(progress, "Installing %s from Debian's packages (once; no service is started) ...\n", strings.Join(missing, ", "))
	start := time.Now()
	if err := aptInstall(ctx, missing...); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "Installed in %s.\n", time.Since(start).Round(time.Second))
	return nil
}
