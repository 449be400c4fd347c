package deployments

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// key is one that a cluster can have.
const key = "VIVARIUM_KEY=a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U="

// project reads a compose file as Compose does: with its schema, anchors, includes and variables.
func project(t *testing.T, file string, variables ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{path(file)}, cli.WithName("vivarium"), cli.WithEnv(variables))
	require.NoError(t, err)
	return options.LoadProject(context.Background())
}

func variables(s types.ServiceConfig) map[string]string {
	all := map[string]string{}
	for name, value := range s.Environment {
		if value != nil {
			all[name] = *value
		}
	}
	return all
}

func TestCompose(t *testing.T) {
	p, err := project(t, "compose.yaml", key, "RABBITMQ_PASSWORD=other")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"server-a", "server-b", "runner", "rabbitmq", "arangodb", "consul", "vault"}, slices.Collect(maps.Keys(p.Services)))
	for _, name := range []string{"server-a", "server-b"} {
		s := requireSettings(t, variables(p.Services[name]))
		require.True(t, s.Primary)
		require.False(t, s.Runner.Enabled, "credentials are the runner's")
		require.Equal(t, "amqp://vivarium:other@rabbitmq:5672/", s.Bus)
		require.NotEmpty(t, s.Key)
		require.Contains(t, s.Consul.Advertise, name)
	}
	runner := requireSettings(t, variables(p.Services["runner"]))
	require.Empty(t, runner.Key, "a runner gets it from a server")
	require.True(t, runner.IsDefault("store"), "a runner has no data")
	for name, s := range p.Services {
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s listens for others", name)
		}
		for need := range s.DependsOn {
			require.Equal(t, types.ServiceConditionHealthy, s.DependsOn[need].Condition)
			require.NotNil(t, p.Services[need].HealthCheck, "%s waits for the health of %s", name, need)
		}
	}
	require.Equal(t, "deployments/Containerfile", p.Services["server-a"].Build.Dockerfile)
	require.Equal(t, p.Services["server-a"].Image, p.Services["runner"].Image)
}

func TestComposeWantsAKey(t *testing.T) {
	_, err := project(t, "compose.yaml")
	require.ErrorContains(t, err, "openssl rand -base64 32")
}

func TestComposeOfArangoDB(t *testing.T) {
	p, err := project(t, "compose.arangodb.yaml")
	require.NoError(t, err)
	require.Equal(t, []string{"arangodb"}, p.ServiceNames())
}
