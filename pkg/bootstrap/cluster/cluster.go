package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// timeout bounds one request.
const timeout = 30 * time.Second

// Manager is under what name the API server keeps which fields are a bootstrap's.
const Manager = "vivarium-bootstrap"

// What a bootstrap reads and writes besides the containers' objects.
var (
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	accounts    = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	roles       = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}
	bindings    = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
	reviews     = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}
	pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	secrets     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	claims      = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// Cluster is one API server, and a namespace of it.
type Cluster struct {
	place     Place
	namespace string
	config    *rest.Config
	through   *http.Client
	objects   *dynamic.DynamicClient
	ways      ways
}

// Connect makes the client; nothing is asked yet.
func Connect(p Place, namespace string) (*Cluster, error) {
	config, err := p.config()
	if err != nil {
		return nil, err
	}
	config.QPS, config.WarningHandler, config.UserAgent = -1, rest.NoWarnings{}, Manager
	c := &Cluster{place: p, namespace: namespace, config: config}
	if c.through, err = rest.HTTPClientFor(config); err == nil {
		c.objects, err = dynamic.NewForConfigAndClient(config, c.through)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the context %q of the kubeconfig can't be used: a certificate, key or token of it is no good", p.Context)
	}
	return c, nil
}

// GoodNamespace tells whether a name can be one.
func GoodNamespace(name string) bool { return len(validation.IsDNS1123Label(name)) == 0 }

// Place is where it is.
func (c *Cluster) Place() Place { return c.place }

// Namespace is where everything of the bootstrap is.
func (c *Cluster) Namespace() string { return c.namespace }

// Made tells whether the namespace is there. It changes nothing.
func (c *Cluster) Made(ctx context.Context) (bool, error) {
	space, err := c.get(ctx, namespaces, c.namespace)
	return space != nil, err
}

// Close ends all ways into the cluster, and idle connections.
func (c *Cluster) Close() {
	c.ways.close()
	c.through.CloseIdleConnections()
}

func (c *Cluster) of(r schema.GroupVersionResource) dynamic.ResourceInterface {
	if r == namespaces || r == reviews {
		return c.objects.Resource(r)
	}
	return c.objects.Resource(r).Namespace(c.namespace)
}

// get is nil where there is none.
func (c *Cluster) get(ctx context.Context, r schema.GroupVersionResource, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	o, err := c.of(r).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return o, c.fault(err, "get", r)
}

// apply writes fields of an object as ours.
func (c *Cluster) apply(ctx context.Context, r schema.GroupVersionResource, name string, of any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body, err := json.Marshal(of)
	if err != nil {
		return err
	}
	var o unstructured.Unstructured
	if err := json.Unmarshal(body, &o.Object); err != nil {
		return err
	}
	unstructured.RemoveNestedField(o.Object, "status")
	unstructured.RemoveNestedField(o.Object, "spec")
	_, err = c.of(r).Apply(ctx, name, &o, metav1.ApplyOptions{FieldManager: Manager, Force: true})
	return c.fault(err, "patch", r)
}

// fault says what an error of the API means; it goes by statuses and never by the words of a message.
func (c *Cluster) fault(err error, verb string, r schema.GroupVersionResource) error {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &status):
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "the cluster at %s can't be reached: see that it runs, and to the context %q of the kubeconfig", c.address(), c.place.Context)
	case apierrors.IsUnauthorized(err):
		return fault.Wrap(err, fault.Reject, fault.Forbidden, "the cluster at %s does not know who we are: the certificate or token of the context %q is wrong or has expired", c.address(), c.place.Context)
	case apierrors.IsForbidden(err):
		return fault.Wrap(err, fault.Reject, fault.Forbidden, "the cluster at %s forbids to %s %s in the namespace %s", c.address(), verb, r.Resource, c.namespace)
	}
	return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the cluster at %s refuses to %s %s: %s", c.address(), verb, r.Resource, status.Status().Reason)
}

// address is the API server's without what may be secret.
func (c *Cluster) address() string {
	a := c.config.Host
	if at := strings.LastIndex(a, "@"); at >= 0 {
		return a[at+1:]
	}
	return a
}

// base is the URL below which the API is.
func (c *Cluster) base() (*url.URL, string, error) {
	return rest.DefaultServerUrlFor(c.config)
}
