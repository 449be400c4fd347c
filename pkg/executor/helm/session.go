package helm

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// session is one request under way. All that it asks of the cluster ends with its context.
type session struct {
	*Executor
	//nolint:containedctx // Helm's library takes none; everything that it calls is bound to this one
	ctx       context.Context
	r         executor.Request
	block     block
	address   string
	namespace string
	// own: the namespace is the environment's, which is entered and left.
	own  bool
	name string
	veil veil

	helm    *action.Configuration
	kube    *client
	objects dynamic.Interface
	lost    atomic.Bool

	mu     sync.Mutex
	failed error // what went wrong where Helm's own error says nothing any more
}

// begin reads the block and connects. Inputs that no apply could use are an error unless loose: what is there can be looked at and
// removed without them.
func (e *Executor) begin(ctx context.Context, r executor.Request, loose bool) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	b, err := decode(r)
	if err != nil && !loose {
		return nil, err
	}
	s := &session{Executor: e, ctx: ctx, r: r, block: b, veil: newVeil(r)}
	s.namespace, s.name = e.options.Cluster.Place(r)
	s.own = b.Namespace == "" || b.Namespace == s.namespace
	if !s.own {
		s.namespace = b.Namespace
	}
	if b.Release != "" {
		s.name = b.Release
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	return s, nil
}

// connect makes Helm's clients. It asks nobody.
func (s *session) connect() error {
	config, address, err := s.options.Cluster.Config()
	if err != nil {
		return err
	}
	s.address = address
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return bound{ctx: s.ctx, next: next, lost: &s.lost} })
	g, err := newGetter(config, s.namespace)
	if err != nil {
		return s.unusable(err)
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return s.unusable(err)
	}
	if s.objects, err = dynamic.NewForConfig(config); err != nil {
		return s.unusable(err)
	}
	s.kube = &client{Client: kube.New(g), s: s, typed: typed}
	s.kube.Namespace = s.namespace
	s.helm = &action.Configuration{
		RESTClientGetter: g, KubeClient: s.kube, Log: s.debug,
		Releases: storage.Init(driver.NewSecrets(typed.CoreV1().Secrets(s.namespace))),
	}
	s.helm.SetHookOutputFunc(s.hookOutput)
	return nil
}

func (s *session) unusable(err error) error {
	return fault.Wrap(err, fault.GiveUp, fault.Invalid,
		"the runner's settings for Kubernetes at %s are no good: a certificate, key or token of its kubeconfig can't be used", s.address)
}

// debug takes what Helm says to itself.
func (s *session) debug(format string, args ...any) {
	s.options.Log.Debug(s.veil.mask(fmt.Sprintf(format, args...)), "step", s.r.Step)
}

// say logs what was done.
func (s *session) say(format string, args ...any) {
	if s.r.Log != nil {
		s.r.Log("out", s.veil.mask(fmt.Sprintf(format, args...)))
	}
}

// fail keeps the first thing that went wrong, and returns it.
func (s *session) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
	return err
}

// failure is what fail was told.
func (s *session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// idOf is the mark of a step's release, see marked.
func idOf(r executor.Request) string {
	return hash([]byte(r.Environment + "\x00" + r.Step))[:16]
}
