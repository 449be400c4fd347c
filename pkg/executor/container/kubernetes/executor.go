package kubernetes

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// DefaultTimeout bounds one request that is not a watch.
const DefaultTimeout = 30 * time.Second

// DefaultVolumeSize is what a named volume claims.
const DefaultVolumeSize = "1Gi"

// Options configure the executor.
type Options struct {
	// Kubeconfig are paths of files as kubectl takes them, the first wins; none: the service account of the pod that this
	// process runs in.
	Kubeconfig []string
	// Context of the kubeconfig; "" is its current one.
	Context string
	// Namespace for everything, which has to exist; "" is one for each environment, vivarium-ENVIRONMENT, which is made when
	// it is not there and removed, if it was made so, with the last resource in it.
	Namespace string
	// Pending: Namespace is not there yet, and is made before anything is applied; a plan is of what would be in it.
	Pending bool
	// ClusterPorts keeps ports within the cluster: they are reached at the Service's name, and no node has a port for them.
	ClusterPorts bool
	// IngressClass and StorageClass; "" is the cluster's default.
	IngressClass, StorageClass string
	// VolumeSize is what a named volume claims; "" is DefaultVolumeSize.
	VolumeSize string
	// Box is the cluster's key, with which the hashes in names are made; nil, or a nil box, while there is none yet.
	Box func() *secret.Box
	// Timeout bounds one request; 0 is DefaultTimeout.
	Timeout time.Duration
	Log     *slog.Logger
}

// Executor makes containers run on Kubernetes. It is safe for concurrent use. It keeps idle connections: Close them.
type Executor struct {
	options Options

	mu   sync.Mutex
	made *client
}

var (
	_ executor.Executor  = (*Executor)(nil)
	_ executor.Targeter  = (*Executor)(nil)
	_ executor.Meter     = (*Executor)(nil)
	_ executor.Follower  = (*Executor)(nil)
	_ executor.Restarter = (*Executor)(nil)
)

// New makes the executor. It touches nothing: a kubeconfig that is no good shows when it is first needed.
func New(o Options) *Executor {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.VolumeSize == "" {
		o.VolumeSize = DefaultVolumeSize
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Executor{options: o}
}

// Kind is the block of every container. Nothing is taken over, see refuseAdoption.
func (*Executor) Kind() template.Kind {
	k := container.Kind()
	k.Adopts = false
	return k
}

// Target is the API server's address, with the namespace.
func (e *Executor) Target(r executor.Request) string {
	c, err := e.client()
	if err != nil {
		return ""
	}
	return c.address + " (" + e.place(r).namespace + ")"
}

// session is one request under way.
type session struct {
	*Executor
	c     *client
	r     executor.Request
	block container.Block
	at    place
}

// begin reads the block and connects. Inputs that no apply could use are an error unless loose: what is there can be
// looked at and removed without them.
func (e *Executor) begin(ctx context.Context, r executor.Request, loose bool) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	b, err := decode(r)
	if err != nil && !loose {
		return nil, err
	}
	if _, err := resource.ParseQuantity(e.options.VolumeSize); err != nil {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the runner's size of volumes on Kubernetes is %q, which is no size such as 1Gi", e.options.VolumeSize)
	}
	c, err := e.client()
	if err != nil {
		return nil, err
	}
	return &session{Executor: e, c: c, r: r, block: b, at: e.placed(r, b)}, nil
}

func decode(r executor.Request) (container.Block, error) {
	b, err := container.Decode(r)
	if err == nil {
		err = refuse(r, b)
	}
	return b, err
}

// box is nil while there is none.
func (e *Executor) box() *secret.Box {
	if e.options.Box == nil {
		return nil
	}
	return e.options.Box()
}

// say logs what was done.
func (s *session) say(line string) {
	if s.r.Log != nil {
		s.r.Log("out", line)
	}
}
