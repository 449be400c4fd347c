package kubernetes

import (
	"context"

	"k8s.io/client-go/rest"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Room is where another executor may put what it makes of a step on the same cluster. Its methods are safe for concurrent use.
type Room struct{ executor *Executor }

// Room is that of the cluster, of the namespaces, and of the names that this executor has.
func (e *Executor) Room() Room { return Room{e} }

// Config is how the API server is reached, a copy, with its address as it may be shown. The error says what is wrong with the
// runner's settings.
func (m Room) Config() (config *rest.Config, address string, err error) {
	c, err := m.executor.client()
	if err != nil {
		return nil, "", err
	}
	config, err = m.executor.config()
	if err != nil {
		return nil, "", fault.Wrap(err, fault.GiveUp, fault.Invalid, "the runner's kubeconfig for Kubernetes at %s can't be read any more", c.address)
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	config.UserAgent = fieldManager
	return config, c.address, nil
}

// Place is the namespace of a step, and a name that is the step's within it.
func (m Room) Place(r executor.Request) (namespace, name string) {
	at := m.executor.place(r)
	return at.namespace, at.service
}

// Enter makes the environment's namespace where it is not there, and notes in it that the step uses it.
func (m Room) Enter(ctx context.Context, r executor.Request) error {
	s, err := m.session(r)
	if err != nil {
		return err
	}
	return s.enter(ctx)
}

// Leave takes back what Enter did: the last step to leave removes the namespace, if it is the environment's and empty.
func (m Room) Leave(ctx context.Context, r executor.Request) error {
	s, err := m.session(r)
	if err != nil {
		return err
	}
	there, err := s.inhabited(ctx)
	if err != nil || !there {
		return err
	}
	return s.leave(ctx)
}

func (m Room) session(r executor.Request) (*session, error) {
	c, err := m.executor.client()
	if err != nil {
		return nil, err
	}
	return &session{Executor: m.executor, c: c, r: r, at: m.executor.place(r)}, nil
}
