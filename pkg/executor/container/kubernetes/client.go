package kubernetes

import (
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// fieldManager is under what name the API server keeps which fields are ours.
const fieldManager = "vivarium"

// client talks to one API server.
type client struct {
	address string // of the API server, without what may be secret
	objects *dynamic.DynamicClient
	raw     *rest.RESTClient // for logs and usage, which are no objects
	http    *http.Client
}

// client makes the client at first, and again after a failure: a file may have come meanwhile.
func (e *Executor) client() (*client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made != nil {
		return e.made, nil
	}
	config, err := e.config()
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"the runner's settings for Kubernetes are no good: its kubeconfig can't be read, or lacks the context; outside a cluster it needs one (KUBECONFIG)")
	}
	made, err := connect(config)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"the runner's settings for Kubernetes at %s are no good: a certificate, key or token of its kubeconfig can't be used", config.Host)
	}
	e.made = made
	return made, nil
}

func (e *Executor) config() (*rest.Config, error) {
	if len(e.options.Kubeconfig) == 0 {
		return rest.InClusterConfig()
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: e.options.Kubeconfig, WarnIfAllMissing: false}
	if len(e.options.Kubeconfig) == 1 {
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: e.options.Kubeconfig[0]} // which has to be there
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: e.options.Context}).ClientConfig()
}

func connect(config *rest.Config) (*client, error) {
	config.QPS = -1 // the API server shares itself out
	config.WarningHandler = rest.NoWarnings{}
	config.UserAgent = fieldManager
	through, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	c := &client{address: config.Host, http: through}
	if at := strings.LastIndex(c.address, "@"); at >= 0 {
		c.address = c.address[at+1:]
	}
	if c.objects, err = dynamic.NewForConfigAndClient(config, through); err != nil {
		return nil, err
	}
	plain := rest.CopyConfig(config)
	plain.APIPath, plain.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	plain.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	c.raw, err = rest.RESTClientForConfigAndClient(plain, through)
	return c, err
}

// Close lets go of idle connections; the executor can still be used.
func (e *Executor) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made != nil {
		e.made.http.CloseIdleConnections()
	}
}

// kind is one of the kinds of objects that a resource is made of.
type kind struct {
	name string // for people
	schema.GroupVersionResource
}

func (k kind) apiVersion() string { return k.GroupVersion().String() }

var (
	namespaces  = kind{"Namespace", schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}}
	secrets     = kind{"Secret", schema.GroupVersionResource{Version: "v1", Resource: "secrets"}}
	configMaps  = kind{"ConfigMap", schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}}
	claims      = kind{"PersistentVolumeClaim", schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}}
	services    = kind{"Service", schema.GroupVersionResource{Version: "v1", Resource: "services"}}
	deployments = kind{"Deployment", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}}
	ingresses   = kind{"Ingress", schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}}
	replicaSets = kind{"ReplicaSet", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}}
	pods        = kind{"Pod", schema.GroupVersionResource{Version: "v1", Resource: "pods"}}
	events      = kind{"Event", schema.GroupVersionResource{Version: "v1", Resource: "events"}}
	// nodesProxy is how roles call what a node tells through the API server.
	nodesProxy = kind{"Node", schema.GroupVersionResource{Version: "v1", Resource: "nodes/proxy"}}
)

// ours are the kinds that we write, in the order in which they are removed.
var ours = []kind{ingresses, services, deployments, secrets, configMaps, claims}

// derived are the kinds that Kubernetes makes of a Deployment.
var derived = []kind{replicaSets, pods}

func (s *session) of(k kind) dynamic.ResourceInterface {
	if k == namespaces {
		return s.c.objects.Resource(k.GroupVersionResource)
	}
	return s.c.objects.Resource(k.GroupVersionResource).Namespace(s.at.namespace)
}
