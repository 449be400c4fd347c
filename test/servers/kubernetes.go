package servers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/vivarium-env/vivarium/test/ports"
)

// Kubernetes is a private cluster of one node: etcd, API server, controllers, scheduler, kubelet, containerd,
// kube-proxy and CoreDNS, in namespaces of their own, where they have the addresses below whatever else runs on the machine. Its
// methods may be called from several goroutines.
type Kubernetes struct {
	dir     string
	port    int
	all     string           // the program that is all of them
	names   string           // the program that answers for their names
	cert    *tls.Certificate // of the administrator
	version string

	room    *room
	running map[string]*child // by the name of the part
	gate    *gate
	stop    sync.Once
}

// Addresses inside the cluster's own network.
const (
	nodeName     = "node1"
	nodeIP       = "10.90.0.1"
	nodeNetwork  = nodeIP + "/24"
	podNetwork   = "10.91.0.0/24"
	serviceRange = "10.96.0.0/16"
	serviceIP    = "10.96.0.1" // of the API server
	apiPort      = 6443
)

// StartKubernetes starts a cluster with its data in dir and returns when its node takes pods. Its programs are
// KubernetesBinary's, which may take minutes to build the first time; it needs root on Linux, and what InstallKubernetes
// installs. Images can't be pulled by it: see LoadImage. A cluster is for once: dir can't be used for another.
func StartKubernetes(ctx context.Context, dir string) (*Kubernetes, error) {
	if missing := missingForKubernetes(); len(missing) > 0 {
		return nil, errNoKubernetes(missing)
	}
	all, err := KubernetesBinary(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	names, err := pinnedCoreDNS().get(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	free, err := ports.Free(1)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	k := &Kubernetes{dir: dir, port: free[0], all: all, names: names, running: map[string]*child{}}
	if err := k.prepare(ctx); err != nil {
		return nil, fmt.Errorf("preparing %s for Kubernetes: %w", dir, err)
	}
	if err := k.begin(ctx); err != nil {
		return nil, errors.Join(err, k.Kill())
	}
	return k, nil
}

// Address is the host and port of the API server, on loopback.
func (k *Kubernetes) Address() string { return "127.0.0.1:" + strconv.Itoa(k.port) }

// Kubeconfig is the path of a file that lets kubectl and client-go in as the administrator.
func (k *Kubernetes) Kubeconfig() string { return filepath.Join(k.dir, "kubeconfig") }

// Kubectl is the path of a kubectl of the cluster's version.
func (k *Kubernetes) Kubectl() string { return k.program("kubectl") }

// Version is what the API server says it is, such as 1.34.4.
func (k *Kubernetes) Version() string { return k.version }

// Dial connects to an address inside the cluster's network, such as a Service's; it fits http.Transport.DialContext.
func (k *Kubernetes) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return k.room.dial(ctx, network, address)
}

// Listen listens inside the cluster's node, as a program of the node would.
func (k *Kubernetes) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return k.room.listen(ctx, network, address)
}

// Cut takes the API server away from everybody outside: connections end, and new ones are refused.
func (k *Kubernetes) Cut() { k.gate.close() }

// Mend ends Cut.
func (k *Kubernetes) Mend() error { return k.gate.open() }

// Stop ends the cluster with all that runs in it; of namespaces, mounts, bridges and cgroups nothing is left.
func (k *Kubernetes) Stop(context.Context) error { return k.Kill() }

// Kill is Stop: all of it lives in namespaces whose first process ends, so that the kernel ends the rest.
func (k *Kubernetes) Kill() (err error) {
	k.stop.Do(func() {
		if k.gate != nil {
			k.gate.close()
		}
		if k.room != nil {
			err = k.room.close()
		}
		for _, part := range k.running {
			<-part.done // it was killed
		}
	})
	return err
}

func (k *Kubernetes) prepare(ctx context.Context) error {
	for _, name := range []string{"bin", "log", "pki", "cni", "kubelet", "containerd", "images"} {
		if err := os.MkdirAll(filepath.Join(k.dir, name), 0o700); err != nil {
			return err
		}
	}
	for _, part := range kubernetesPrograms {
		if err := os.Symlink(k.all, k.program(part)); err != nil {
			return err
		}
	}
	if err := buildStatic(ctx, pauseProgram, k.program("pause")); err != nil {
		return err
	}
	if err := k.makeCertificates(); err != nil {
		return err
	}
	return k.writeNode()
}

func (k *Kubernetes) program(part string) string { return filepath.Join(k.dir, "bin", part) }

func (k *Kubernetes) pki(name string) string { return filepath.Join(k.dir, "pki", name) }

// begin starts part after part, each as soon as what it needs is there.
func (k *Kubernetes) begin(ctx context.Context) (err error) {
	if k.room, err = newRoom(k.dir, k.program("pause")); err != nil {
		return err
	}
	k.gate = &gate{address: k.Address(), dial: func(ctx context.Context) (net.Conn, error) {
		return k.room.dial(ctx, "tcp", net.JoinHostPort(nodeIP, strconv.Itoa(apiPort)))
	}}
	if err := k.gate.open(); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{k.startPlane, k.startContainerd, k.startControllers, k.startNames, k.startNode} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return k.ready(ctx)
}
