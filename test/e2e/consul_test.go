package e2e

import (
	"encoding/json"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// An environment that is deployed once a service in Consul passes.
const served = `template "served" {
  version = "1.0.0"
}
parameter "service" { type = string }
parameter "window" { type = string }
action "nothing" {
  command = ["true"]
}
status "search" {
  consul_service = param.service
  interval       = "200ms"
  timeout        = param.window
}
`

// TestAServiceOfConsulDecides whether an environment is deployed.
func TestAServiceOfConsulDecides(t *testing.T) {
	consul := servers.SharedConsul(t)
	t.Setenv("CONSUL_HTTP_ADDR", consul.Address())
	s := server(t, "--primary", "--catalogue", writeCatalogue(t, map[string]string{"template.hcl": served}))
	c, err := api.NewClient(&api.Config{Address: consul.Address()})
	require.NoError(t, err)
	check := func(service, status string) {
		t.Helper()
		require.NoError(t, c.Agent().UpdateTTL("check-"+service, "", status))
	}
	for _, service := range []string{"late", "never"} {
		require.NoError(t, c.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: service, Name: service, Port: 80,
			Check: &api.AgentServiceCheck{CheckID: "check-" + service, TTL: "10m", Status: "critical"}}))
		t.Cleanup(func() { _ = c.Agent().ServiceDeregister(service) })
		check(service, "critical")
	}
	for service, window := range map[string]string{"late": "5m", "never": "3s"} {
		_, err = s.cli("env", "create", service, "--template", "served", "--param", "service="+service, "--param", "window="+window)
		require.NoError(t, err)
	}
	s.awaitStatus("late", "validating")
	s.awaitStatus("never", "failed")
	var resources struct {
		Items []struct {
			Address string
			Step    struct{ Error struct{ Message string } }
		}
	}
	s.get("environments/never/resources", &resources)
	shown, err := json.Marshal(resources)
	require.NoError(t, err)
	require.Contains(t, string(shown), "consul://never")
	require.Contains(t, string(shown), "check-never")

	s.awaitStatus("late", "validating")
	check("late", "passing")
	s.awaitStatus("late", "deployed")
	s.awaitHealth("late", "healthy")
	check("late", "critical")
	s.awaitHealth("late", "degraded")
	for _, name := range []string{"late", "never"} {
		_, err = s.cli("env", "destroy", name, "--yes", "--wait")
		require.NoError(t, err)
	}
}
