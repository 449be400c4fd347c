package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopSharedVault()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// real is the shared Vault with the engines and roles that the tests use.
type real struct {
	*servers.Vault
	*api.Client
}

var prepared bool

func realVault(t *testing.T) real {
	t.Helper()
	v := servers.SharedVault(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := api.NewClient(&api.Config{Address: v.Address(), HttpClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	c.SetToken(v.RootToken())
	r := real{v, c}
	if !prepared {
		prepared = true
		require.NoError(t, v.Enable(t.Context(), "auth", "approle", "approle"))
		require.NoError(t, v.Enable(t.Context(), "mounts", "pki", "pki"))
		r.put(t, "pki/root/generate/internal", map[string]any{"common_name": "test authority", "ttl": "24h"})
		r.put(t, "pki/roles/web", map[string]any{"allow_any_name": true, "enforce_hostnames": false, "max_ttl": "12h", "key_type": "ec", "key_bits": 256})
	}
	return r
}

func (v real) put(t *testing.T, path string, body map[string]any) *api.Secret {
	t.Helper()
	secret, err := v.Logical().WriteWithContext(t.Context(), path, body)
	require.NoError(t, err)
	return secret
}

func (v real) get(t *testing.T, path string) *api.Secret {
	t.Helper()
	secret, err := v.Logical().ReadWithContext(t.Context(), path)
	require.NoError(t, err)
	return secret
}

// values are those of a secret in the engine "secret".
func (v real) values(t *testing.T, path string) map[string]any {
	t.Helper()
	secret := v.get(t, "secret/data/"+path)
	require.NotNil(t, secret)
	return secret.Data["data"].(map[string]any)
}

// token makes one that lives and may do as told.
func (v real) token(t *testing.T, body map[string]any) string {
	t.Helper()
	return v.put(t, "auth/token/create", body).Auth.ClientToken
}

// policy makes a policy and returns its name.
func (v real) policy(t *testing.T, rules string) string {
	t.Helper()
	name := fmt.Sprintf("test-%d", number(t.Name()))
	v.put(t, "sys/policies/acl/"+name, map[string]any{"policy": rules})
	return name
}

func number(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return h.Sum64()
}

// unique is a path that no other test uses.
func unique(t *testing.T) string { return fmt.Sprintf("tests/%d", number(t.Name())) }

// connect makes a client that is stopped when the test is over.
func connect(t *testing.T, o vault.Options) *vault.Client {
	t.Helper()
	c := vault.Connect(o)
	t.Cleanup(func() { require.NoError(t, c.Stop(context.Background())) })
	return c
}

// kind is the executor of one kind.
func kind(t *testing.T, c *vault.Client, name string) executor.Executor {
	t.Helper()
	for _, e := range c.Executors() {
		if e.Kind().Name == name {
			return e
		}
	}
	t.Fatalf("no executor of the kind %s", name)
	return nil
}

// step is one resource, as attempts of it come to an executor.
type step struct {
	executor.Executor
	executor.Request
	log executortest.Log
}

// rooted is a step of a kind that may do everything.
func (v real) rooted(t *testing.T, name, inputs string) *step {
	t.Helper()
	return newStep(kind(t, connect(t, vault.Options{Address: v.Vault.Address(), Token: v.RootToken()}), name), inputs)
}

func newStep(e executor.Executor, inputs string) *step {
	s := &step{Executor: e, Request: executor.Request{
		TaskRef: event.TaskRef{Environment: "notes", Step: "notes.sample", Attempt: 1}, Inputs: json.RawMessage(inputs),
	}}
	s.Log = s.log.Add
	return s
}

// apply succeeds, and the outputs are those that the next attempt gets.
func (s *step) apply(t *testing.T) map[string]any {
	t.Helper()
	outputs, err := s.Apply(t.Context(), s.Request)
	require.NoError(t, err)
	return s.remember(t, outputs)
}

// remember makes the outputs those of the last successful apply, and returns their values.
func (s *step) remember(t *testing.T, outputs executor.Outputs) map[string]any {
	t.Helper()
	plain, values := map[string]json.RawMessage{}, map[string]any{}
	for name, o := range outputs {
		plain[name] = o.Value
		var v any
		require.NoError(t, json.Unmarshal(o.Value, &v))
		values[name] = v
	}
	var err error
	s.Outputs, err = json.Marshal(plain)
	require.NoError(t, err)
	return values
}

func (s *step) destroy(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Destroy(t.Context(), s.Request))
	require.Equal(t, event.Absent, s.look(t))
}

func (s *step) look(t *testing.T) event.Presence {
	t.Helper()
	found, err := s.Observe(t.Context(), s.Request)
	require.NoError(t, err)
	return found.Presence
}

// adopting is executortest.PerStep for a kind that takes over; its suite has two steps that want the same, by their names.
type adopting struct{ executortest.PerStep }

func (a adopting) Adopt(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return a.Executor.(executor.Adopter).Adopt(ctx, a.Own(r))
}
