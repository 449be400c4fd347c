package consulkv

import (
	"context"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// health plays the service whose health is asked for.
type health struct {
	*testing.T
	agent *api.Agent
	e     *Executor
}

func newHealth(t *testing.T) *health {
	consul := servers.SharedConsul(t)
	e := New(Options{Address: consul.Address()})
	t.Cleanup(e.Close)
	client, err := api.NewClient(&api.Config{Address: consul.Address()})
	require.NoError(t, err)
	return &health{T: t, agent: client.Agent(), e: e}
}

func (h *health) register(service, id, status string) {
	h.Helper()
	require.NoError(h, h.agent.ServiceRegister(&api.AgentServiceRegistration{
		ID: id, Name: service, Port: 80, Check: &api.AgentServiceCheck{CheckID: "check-" + id, TTL: "10m", Status: status},
	}))
	h.Cleanup(func() { _ = h.agent.ServiceDeregister(id) })
}

func (h *health) set(id, status string) {
	h.Helper()
	require.NoError(h, h.agent.UpdateTTL("check-"+id, "", status))
}

// until follows the service from a mark on until it is as wanted.
func (h *health) until(url string, from executor.Health, want bool) executor.Health {
	h.Helper()
	for from.Healthy != want {
		next, err := h.e.Await(h.Context(), event.Endpoint{URL: url}, from.Mark)
		require.NoError(h, err)
		require.NotZero(h, next.Mark)
		from = next
	}
	return from
}

func TestHealthOfAService(t *testing.T) {
	h := newHealth(t)
	const url = "consul://notes-health"
	now, err := h.e.Await(t.Context(), event.Endpoint{URL: url}, 0)
	require.NoError(t, err)
	require.False(t, now.Healthy)
	require.Contains(t, now.Detail, "no instance")

	h.register("notes-health", "n1", api.HealthCritical)
	h.register("notes-health", "n2", api.HealthPassing)
	now = h.until(url, now, true)
	h.set("n2", "fail")
	now = h.until(url, now, false)
	for now.Detail == "" || len(now.Detail) < 40 {
		now, err = h.e.Await(t.Context(), event.Endpoint{URL: url}, now.Mark)
		require.NoError(t, err)
	}
	require.Contains(t, now.Detail, "check-n1 on ")
	h.set("n1", "warn")
	h.until(url, now, true)
	strict, err := h.e.Await(t.Context(), event.Endpoint{URL: url + "?passing=true"}, 0)
	require.NoError(t, err)
	require.False(t, strict.Healthy, "a warning is not enough there")
}

func TestHealthThatIsNotKnown(t *testing.T) {
	h := newHealth(t)
	_, err := h.e.Await(t.Context(), event.Endpoint{URL: "http://x"}, 0)
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = h.e.Await(t.Context(), event.Endpoint{URL: "consul://x?dc=nowhere"}, 0)
	require.Equal(t, fault.Wait, fault.From(err).Disposition, "%v", err)
	away := New(Options{Address: "127.0.0.1:1"})
	_, err = away.Await(t.Context(), event.Endpoint{URL: "consul://x"}, 0)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.ErrorContains(t, err, "127.0.0.1:1")

	first, err := h.e.Await(t.Context(), event.Endpoint{URL: "consul://x"}, 0)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := h.e.Await(ctx, event.Endpoint{URL: "consul://x"}, first.Mark)
		ended <- err
	}()
	cancel()
	require.True(t, fault.Is(<-ended, fault.Cancelled))
}
