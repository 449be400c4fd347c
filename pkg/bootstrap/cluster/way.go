package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// ways are listeners on the loopback address, each of which leads to one address in the cluster.
type ways struct {
	mu     sync.Mutex
	to     map[string]net.Listener
	ends   map[net.Conn]bool
	closed bool
	over   sync.WaitGroup
}

// Reach is an address on this machine that leads to one in the cluster: SERVICE.NAMESPACE.svc:PORT. It stays for as long as the
// Cluster is not closed, whichever pod stands behind the Service. Where there is none, connections end at once.
func (c *Cluster) Reach(ctx context.Context, address string) (string, error) {
	w := &c.ways
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.to[address]; l != nil {
		return l.Addr().String(), nil
	}
	if w.closed {
		return "", fault.New(fault.GiveUp, fault.Conflict, "the way into the cluster is closed")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fault.Wrap(err, fault.GiveUp, fault.Unavailable, "no port of this machine can be had for a way into the cluster")
	}
	if w.to == nil {
		w.to, w.ends = map[string]net.Listener{}, map[net.Conn]bool{}
	}
	w.to[address] = l
	w.over.Go(func() { c.accept(l, address) })
	return l.Addr().String(), nil
}

// Dial connects to an address in the cluster, or to any other as usual. It fits http.Transport.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if _, _, _, ok := inside(address); ok {
		local, err := c.Reach(ctx, address)
		if err != nil {
			return nil, err
		}
		address = local
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// inside takes SERVICE.NAMESPACE.svc:PORT apart.
func inside(address string) (service, namespace string, port int, ok bool) {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", 0, false
	}
	parts := strings.Split(host, ".")
	if port, err = strconv.Atoi(number); err != nil || len(parts) != 3 || parts[2] != "svc" {
		return "", "", 0, false
	}
	return parts[0], parts[1], port, true
}

func (w *ways) close() {
	w.mu.Lock()
	w.closed = true
	for _, l := range w.to {
		_ = l.Close()
	}
	for end := range w.ends {
		_ = end.Close()
	}
	w.mu.Unlock()
	w.over.Wait()
}

// keep is false when all is closed.
func (w *ways) keep(end net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.ends[end] = true
	}
	return !w.closed
}

func (w *ways) forget(end net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ends, end)
}

func (c *Cluster) accept(l net.Listener, address string) {
	for {
		end, err := l.Accept()
		if err != nil {
			return
		}
		c.ways.over.Go(func() {
			defer func() { _ = end.Close() }()
			if !c.ways.keep(end) {
				return
			}
			defer c.ways.forget(end)
			_ = c.carry(end, address) // whoever has connected sees the end of the connection
		})
	}
}

// carry is one connection, by the API server's port forwarding: what kubectl port-forward does.
func (c *Cluster) carry(end net.Conn, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	pod, port, err := c.behind(ctx, address)
	if err != nil {
		return err
	}
	through, err := c.forward(pod)
	if err != nil {
		return err
	}
	defer func() { _ = through.Close() }()
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	trouble, err := through.CreateStream(headers)
	if err != nil {
		return err
	}
	_ = trouble.Close() // we say nothing in it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := through.CreateStream(headers)
	if err != nil {
		return err
	}
	join(end, data, trouble)
	return nil
}

// join copies both ways until either side ends; what is told as trouble ends both.
func join(end net.Conn, data, trouble httpstream.Stream) {
	var all sync.WaitGroup
	all.Go(func() {
		if said, _ := io.ReadAll(io.LimitReader(trouble, 1<<16)); len(said) > 0 {
			_ = end.Close()
		}
	})
	all.Go(func() {
		_, _ = io.Copy(end, data)
		_ = end.Close()
	})
	_, _ = io.Copy(data, end)
	_ = data.Close()
	_ = data.Reset()
	_ = trouble.Reset()
	all.Wait()
}

// behind is a pod that is ready and the port of it; one that runs does where the Service publishes what is not ready.
func (c *Cluster) behind(ctx context.Context, address string) (pod string, port int, err error) {
	name, namespace, port, ok := inside(address)
	if !ok || namespace != c.namespace {
		return "", 0, fault.New(fault.GiveUp, fault.Invalid, "%s is no address of the namespace %s", address, c.namespace)
	}
	service, err := c.get(ctx, services, name)
	if err != nil || service == nil {
		return "", 0, errors.Join(err, fault.New(fault.Wait, fault.NotFound, "there is no Service %s in the namespace %s", name, namespace))
	}
	selector, _, err := unstructured.NestedStringMap(service.Object, "spec", "selector")
	if err != nil {
		return "", 0, err
	}
	early, _, err := unstructured.NestedBool(service.Object, "spec", "publishNotReadyAddresses")
	if err != nil {
		return "", 0, err
	}
	list, err := c.list(ctx, pods, labels.Set(selector).String())
	if err != nil {
		return "", 0, err
	}
	for i := range list {
		if ready(&list[i]) || early && runs(&list[i]) {
			return list[i].GetName(), port, nil
		}
	}
	return "", 0, fault.New(fault.Wait, fault.Unavailable, "no pod of the Service %s is ready", name)
}

func runs(pod *unstructured.Unstructured) bool {
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	return phase == string(corev1.PodRunning) && pod.GetDeletionTimestamp() == nil
}

func ready(pod *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
	for _, of := range conditions {
		condition, ok := of.(map[string]any)
		if ok && condition["type"] == string(corev1.PodReady) {
			return condition["status"] == string(metav1.ConditionTrue) && pod.GetDeletionTimestamp() == nil
		}
	}
	return false
}

// forward opens a way into a pod: over a websocket, which proxies let through, or over SPDY where the API server knows no other.
func (c *Cluster) forward(pod string) (httpstream.Connection, error) {
	base, _, err := c.base()
	if err != nil {
		return nil, err
	}
	at := base.JoinPath("api", "v1", "namespaces", c.namespace, "pods", pod, "portforward")
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	recent, err := portforward.NewSPDYOverWebsocketDialer(at, c.config)
	if err != nil {
		return nil, err
	}
	both := portforward.NewFallbackDialer(recent, old, func(err error) bool { return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err) })
	through, _, err := both.Dial(portforward.PortForwardProtocolV1Name)
	return through, err
}
