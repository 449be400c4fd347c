package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// labelID is the label by which the objects of a step are found: a hash, since a step's name is no label.
const labelID = container.LabelPrefix + "id"

// namespacePrefix is what the namespaces of environments begin with.
const namespacePrefix = "vivarium-"

// place is where the objects of a step are, and how they are called.
type place struct {
	namespace string
	// own: the namespace is the environment's.
	own bool
	// name of the Deployment and the Ingress, and what those of the other objects begin with.
	name string
	// service is the name of the Service, by which others in the namespace reach the replicas: as it is in the template
	// where the namespace is the environment's.
	service string
	id      string
}

// placed is the same for a block, which may say how its Service is called.
func (e *Executor) placed(r executor.Request, b container.Block) place {
	p := e.place(r)
	if b.ServiceName != "" {
		p.service = b.ServiceName
	}
	return p
}

func (e *Executor) place(r executor.Request) place {
	sum := sha256.Sum256([]byte(r.Environment + "\x00" + r.Step))
	id := hex.EncodeToString(sum[:8])
	p := place{namespace: e.options.Namespace, id: id, service: lettered(container.Service(r))}
	p.name = lettered(container.Slug(r.Environment+"-"+p.service)) + "-" + id[:8]
	if p.namespace == "" {
		p.namespace, p.own = ownNamespace(r.Environment), true
		return p
	}
	p.service = p.name
	return p
}

// host is the Service's name in the cluster's DNS, whatever the cluster calls its domain.
func (p place) host() string { return p.service + "." + p.namespace + ".svc" }

// lettered begins with a letter, as the name of a Service has to.
func lettered(name string) string {
	if name[0] >= '0' && name[0] <= '9' {
		return "n" + name
	}
	return name
}

// ownNamespace is the environment's; a name that can't be a namespace's is told apart from others by its hash.
func ownNamespace(environment string) string {
	if name := namespacePrefix + environment; len(validation.IsDNS1123Label(name)) == 0 {
		return name
	}
	sum := sha256.Sum256([]byte(environment))
	return namespacePrefix + container.Slug(environment) + "-" + hex.EncodeToString(sum[:4])
}

// selector finds all objects of the step.
func (p place) selector() string { return labelID + "=" + p.id }

// labels are those of every object of the step.
func (s *session) labels() map[string]string {
	labels := map[string]string{
		labelID: s.at.id, "app.kubernetes.io/managed-by": fieldManager, "app.kubernetes.io/name": container.Service(s.r),
	}
	if len(validation.IsValidLabelValue(s.r.Environment)) == 0 {
		labels[container.LabelEnvironment] = s.r.Environment
	}
	return labels
}

// annotations say whose an object is, in full.
func (s *session) annotations() map[string]string { return container.Owner(s.r) }

// mine tells whether an object is the step's.
func (s *session) mine(o *unstructured.Unstructured) bool {
	a := o.GetAnnotations()
	return a[container.LabelEnvironment] == s.r.Environment && a[container.LabelStep] == s.r.Step
}

// taken is the error about an object of somebody else.
func (s *session) taken(k kind, o *unstructured.Unstructured) error {
	whose := "it was not made by Vivarium"
	if step := o.GetAnnotations()[container.LabelStep]; step != "" {
		whose = "it belongs to " + step + " of the environment " + o.GetAnnotations()[container.LabelEnvironment]
	}
	return fault.New(fault.GiveUp, fault.Exists, "%s can't have the %s %q in the namespace %s of Kubernetes at %s: %s; remove it there, or give the resource another name",
		s.r.Step, k.name, o.GetName(), s.at.namespace, s.c.address, whose)
}
