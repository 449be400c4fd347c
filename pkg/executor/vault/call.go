package vault

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// operation is one request to Vault, with what errors say of it.
type operation struct {
	method string
	path   string // without /v1/
	body   map[string]any
	what   string // such as: writing the secret
	need   string // the capability that a policy has to give on path
}

// session is the client at work for one request.
type session struct {
	*Client
	r executor.Request
}

// shared is what the executors of all kinds are made of.
type shared struct{ client *Client }

// Target is the Vault, the same for all kinds.
func (s shared) Target(executor.Request) string { return s.client.target() }

func (s shared) begin(ctx context.Context, r executor.Request) (session, error) {
	if err := ctx.Err(); err != nil {
		return session{}, fault.From(err)
	}
	return session{Client: s.client, r: r}, nil
}

// say writes a line to the task's log.
func (s session) say(line string) {
	if s.r.Log != nil {
		s.r.Log("out", s.r.Mask(line))
	}
}

// get reads a path; nil is that there is nothing.
func (s session) get(ctx context.Context, what, path string) (*api.Secret, error) {
	return s.call(ctx, operation{method: http.MethodGet, path: path, what: what, need: "read"})
}

func (s session) put(ctx context.Context, what, path string, body map[string]any) (*api.Secret, error) {
	return s.call(ctx, operation{method: http.MethodPost, path: path, body: body, what: what, need: "create and update"})
}

func (s session) drop(ctx context.Context, what, path string) error {
	_, err := s.call(ctx, operation{method: http.MethodDelete, path: path, what: what, need: "delete"})
	return err
}

// call does an operation; when the token turns out to be gone, it logs in again and repeats it once.
func (s session) call(ctx context.Context, op operation) (*api.Secret, error) {
	l, err := s.ready(ctx)
	if err != nil {
		return nil, s.explain(ctx, op, err)
	}
	secret, err := s.once(ctx, op)
	if status(err) == statusForbidden {
		again, problem := s.reconsider(ctx, l.generation)
		if problem != nil {
			return nil, s.explain(ctx, op, problem)
		}
		if again {
			secret, err = s.once(ctx, op)
		}
	}
	if err != nil {
		return nil, s.masked(s.explain(ctx, op, err))
	}
	return secret, nil
}

func (s session) once(ctx context.Context, op operation) (*api.Secret, error) {
	switch op.method {
	case http.MethodGet:
		return s.api.Logical().ReadWithContext(ctx, op.path)
	case http.MethodDelete:
		return s.api.Logical().DeleteWithContext(ctx, op.path)
	case "LIST":
		return s.api.Logical().ListWithContext(ctx, op.path)
	default:
		return s.api.Logical().WriteWithContext(ctx, op.path, op.body)
	}
}

// masked takes the request's secrets out of what Vault said.
func (s session) masked(err error) error {
	e := *fault.From(err)
	e.Message = s.r.Mask(e.Message)
	return &e
}
