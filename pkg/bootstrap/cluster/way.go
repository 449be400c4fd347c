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

// ways are connections into the cluster that are open.
type ways struct {
	mu     sync.Mutex
	ends   map[net.Conn]bool
	closed bool
	over   sync.WaitGroup
}

// Dial connects to an address in the cluster, SERVICE.NAMESPACE.svc:PORT, whichever pod stands behind the Service now, or to any other as usual. It fits
// http.Transport. Who connects knows the other end by that address, so a certificate is checked for it.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if _, _, _, ok := inside(address); !ok {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	end, far := net.Pipe()
	connected := make(chan error, 1)
	if !c.ways.begin(far, func() { c.carry(far, address, connected) }) {
		return nil, fault.New(fault.GiveUp, fault.Conflict, "the way into the cluster is closed")
	}
	select {
	case err := <-connected:
		if err != nil {
			return nil, errors.Join(err, end.Close())
		}
		return end, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), end.Close()) // and what comes of it later ends at once
	}
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
	for end := range w.ends {
		_ = end.Close()
	}
	w.mu.Unlock()
	w.over.Wait()
}

// begin has a connection carried, and closes it afterwards; it is false when all is closed.
func (w *ways) begin(far net.Conn, carry func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	if w.ends == nil {
		w.ends = map[net.Conn]bool{}
	}
	w.ends[far] = true
	w.over.Go(func() {
		defer w.end(far)
		carry()
	})
	return true
}

func (w *ways) end(far net.Conn) {
	_ = far.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ends, far)
}

// carry is one connection, by the API server's port forwarding: what kubectl port-forward does. It tells when there is one, or else why not, and returns
// when it has ended.
func (c *Cluster) carry(far net.Conn, address string, connected chan<- error) {
	data, trouble, through, err := c.open(address)
	connected <- err
	if err != nil {
		return
	}
	defer func() { _ = through.Close() }()
	join(far, data, trouble)
}

// open makes the streams of a connection.
func (c *Cluster) open(address string) (data, trouble httpstream.Stream, through httpstream.Connection, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	pod, port, err := c.behind(ctx, address)
	if err != nil {
		return nil, nil, nil, err
	}
	if through, err = c.forward(pod); err != nil {
		return nil, nil, nil, err
	}
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	if trouble, err = through.CreateStream(headers); err == nil {
		_ = trouble.Close() // we say nothing in it
		headers.Set(corev1.StreamType, corev1.StreamTypeData)
		data, err = through.CreateStream(headers)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, through.Close())
	}
	return data, trouble, through, nil
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
