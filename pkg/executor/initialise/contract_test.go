package initialise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/test/servers"
)

const management = "11111111-2222-4333-8444-555555555555"

func suite(t *testing.T, name string, o initialise.Options, inputs func(other, secret string) string, tamper func(t *testing.T, inputs map[string]string)) {
	executortest.Run(t, executortest.Suite{
		New: func(t *testing.T, _ string) executor.Executor {
			return perStep{executortest.PerStep{Executor: kind(t, o, name)}}
		},
		Plain:      json.RawMessage(inputs("", "")),
		Other:      json.RawMessage(inputs("other", "")),
		WithSecret: json.RawMessage(inputs("", executortest.Secret)),
		Partial:    &executortest.Partial{Inputs: json.RawMessage(inputs("", "")), Unknown: map[string][]string{"address": {"sample.noop.other"}}},
		Tamper: func(t *testing.T, r executor.Request) {
			var of map[string]string
			require.NoError(t, json.Unmarshal(perStep{}.Own(r).Inputs, &of))
			tamper(t, of)
		},
		Changed: func(lines []string) bool { return len(lines) > 0 },
		Lacks:   map[string]string{"Slow": "it applies at once"},
	})
}

// TestConsulContract needs the real server, as all here that start one do.
func TestConsulContract(t *testing.T) {
	c := startConsul(t, servers.ConsulOptions{Uninitialised: true})
	suite(t, initialise.ConsulName, initialise.Options{}, func(other, secret string) string {
		return fmt.Sprintf(`{"address":%q,"management_token":%q,"name":"c-STEP","token":"11111111-2222-4333-8444-STEP",`+
			`"agent_token":"11111111-2222-4333-9444-STEP","rules":%q}`, c.Address(), management, `key_prefix "`+other+secret+`x" { policy = "read" }`)
	}, func(t *testing.T, of map[string]string) {
		client, err := api.NewClient(&api.Config{Address: c.Address(), Token: management})
		require.NoError(t, err)
		p, _, err := client.ACL().PolicyReadByName(of["name"], nil)
		require.NoError(t, err)
		p.Rules = ""
		_, _, err = client.ACL().PolicyUpdate(p, nil)
		require.NoError(t, err)
	})
}

func TestRabbitContract(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real RabbitMQ")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := servers.StartRabbitMQ(ctx, t.TempDir(), servers.RabbitMQOptions{Management: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Kill() })
	suite(t, initialise.RabbitName, initialise.Options{}, func(other, secret string) string {
		return fmt.Sprintf(`{"address":%q,"administrator":"guest","password":"guest","virtual_host":"h-STEP","user":"u-STEP","user_password":%q}`,
			m.Management(), "pass"+other+secret)
	}, func(t *testing.T, of map[string]string) {
		client, err := rabbithole.NewClient(m.Management(), "guest", "guest")
		require.NoError(t, err)
		_, err = client.UpdatePermissionsIn(of["virtual_host"], of["user"], rabbithole.Permissions{Configure: "", Write: "", Read: ""})
		require.NoError(t, err)
	})
}

func TestVaultContract(t *testing.T) {
	v := startVault(t, servers.VaultOptions{Uninitialised: true})
	keys, err := initialise.OpenKeys(filepath.Join(t.TempDir(), "keys.json"))
	require.NoError(t, err)
	suite(t, initialise.VaultName, initialise.Options{Keys: keys}, func(other, secret string) string {
		return fmt.Sprintf(`{"address":%q,"role":"r-STEP","role_id":"id-STEP","secret_id":"secret-STEP","policy":%q}`,
			v.Address(), `path "secret/data/`+other+secret+`x" { capabilities = ["read"] }`)
	}, func(t *testing.T, of map[string]string) {
		require.NoError(t, strayPolicy(t, v.Address(), keys.Held().Vault.RootToken, of["role"]))
	})
}

func TestDerivedContract(t *testing.T) {
	executortest.Run(t, executortest.Suite{
		New: func(t *testing.T, _ string) executor.Executor {
			return kind(t, initialise.Options{}, initialise.DerivedName)
		},
		Plain:        json.RawMessage(`{"form":null,"length":null,"rotate":null}`),
		Other:        json.RawMessage(`{"form":"uuid","length":null,"rotate":null}`),
		Partial:      &executortest.Partial{Inputs: json.RawMessage(`{"form":null,"length":null,"rotate":null}`), Unknown: map[string][]string{"rotate": {"a.noop.b"}}},
		WithSecret:   json.RawMessage(`{"rotate":"` + executortest.Secret + `"}`),
		Unobservable: true,
		Lacks:        map[string]string{"Slow": "it applies at once", "Tamper": "there is nothing to change"},
	})
}

func TestDerivedSecretsAreTheSameAndApart(t *testing.T) {
	seen := map[string]string{}
	for _, of := range []string{`{}`, `{"rotate":"2"}`, `{"form":"uuid"}`, `{"form":"base64"}`, `{"length":64}`} {
		var values []string
		for range 2 {
			outputs, err := kind(t, initialise.Options{}, initialise.DerivedName).Apply(t.Context(), request(of))
			require.NoError(t, err)
			require.True(t, outputs["value"].Sensitive)
			values = append(values, string(outputs["value"].Value))
		}
		require.Equal(t, values[0], values[1])
		require.Empty(t, seen[values[0]], "%s is the secret of %s", of, seen[values[0]])
		seen[values[0]] = of
		if strings.Contains(of, "uuid") {
			require.Regexp(t, `^"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$`, values[0])
		}
	}
}
