package servers

import (
	"context"
	"path/filepath"
	"strconv"
)

// startPlane starts etcd and the API server, which waits for it by itself.
func (k *Kubernetes) startPlane(context.Context) error {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	// What is written need not outlive the machine.
	if err := k.run("etcd", "--name", "one", "--data-dir", filepath.Join(k.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "one="+peer); err != nil {
		return err
	}
	return k.run("kube-apiserver",
		"--bind-address="+nodeIP, "--advertise-address="+nodeIP, "--secure-port="+strconv.Itoa(apiPort),
		"--etcd-servers="+client, "--service-cluster-ip-range="+serviceRange, "--cert-dir="+k.pki(""),
		"--tls-cert-file="+k.pki("apiserver.crt"), "--tls-private-key-file="+k.pki("apiserver.key"), "--client-ca-file="+k.pki("ca.crt"),
		"--kubelet-client-certificate="+k.pki("apiserver-kubelet.crt"), "--kubelet-client-key="+k.pki("apiserver-kubelet.key"),
		"--kubelet-certificate-authority="+k.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+k.pki("sa.pub"),
		"--service-account-signing-key-file="+k.pki("sa.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--requestheader-client-ca-file="+k.pki("ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+k.pki("front-proxy.crt"), "--proxy-client-key-file="+k.pki("front-proxy.key"), "--profiling=false")
}

// startControllers starts what needs an API server that is ready.
func (k *Kubernetes) startControllers(ctx context.Context) error {
	if err := k.wait(ctx, "the API server", "/readyz", nil); err != nil {
		return err
	}
	if err := k.run("kube-controller-manager", "--kubeconfig="+k.pki("kube-controller-manager.kubeconfig"), "--bind-address=127.0.0.1",
		"--cert-dir="+k.pki(""), "--leader-elect=false", "--use-service-account-credentials=true",
		"--service-account-private-key-file="+k.pki("sa.key"), "--root-ca-file="+k.pki("ca.crt"),
		"--cluster-signing-cert-file="+k.pki("ca.crt"), "--cluster-signing-key-file="+k.pki("ca.key"),
		"--controllers=*,-nodeipam,-cloud-node-lifecycle,-service-lb-controller,-node-route-controller"); err != nil {
		return err
	}
	return k.run("kube-scheduler", "--kubeconfig="+k.pki("kube-scheduler.kubeconfig"), "--bind-address=127.0.0.1", "--cert-dir="+k.pki(""), "--leader-elect=false")
}
