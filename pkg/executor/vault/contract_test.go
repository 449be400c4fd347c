package vault_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
)

// sample is what a kind's suite is made of: inputs with STEP where every step has to have something of its own.
type sample struct {
	plain, other, secret, partial string
	unknown                       string // the path of what partial has as null
	tamper                        func(t *testing.T, v real, inputs map[string]any)
	adopt                         func(t *testing.T, v real, inputs map[string]any) // nil where nothing is taken over
}

func (c sample) executor(e executor.Executor) executor.Executor {
	if c.adopt == nil {
		return executortest.PerStep{Executor: e}
	}
	return adopting{executortest.PerStep{Executor: e}}
}

func contract(t *testing.T, name string, c sample) {
	v := realVault(t)
	executortest.Run(t, executortest.Suite{
		New:        func(t *testing.T, _ string) executor.Executor { return c.executor(v.rooted(t, name, "").Executor) },
		Plain:      json.RawMessage(c.plain),
		Other:      json.RawMessage(c.other),
		WithSecret: json.RawMessage(c.secret),
		Partial:    &executortest.Partial{Inputs: json.RawMessage(c.partial), Unknown: map[string][]string{c.unknown: {"sample.noop.other"}}},
		Tamper: func(t *testing.T, r executor.Request) {
			var inputs map[string]any
			require.NoError(t, json.Unmarshal(executortest.PerStep{}.Own(r).Inputs, &inputs))
			c.tamper(t, v, inputs)
		},
		Adopt: func(t *testing.T, r executor.Request) json.RawMessage {
			var inputs map[string]any
			require.NoError(t, json.Unmarshal(executortest.PerStep{}.Own(r).Inputs, &inputs))
			c.adopt(t, v, inputs)
			return json.RawMessage("true")
		},
		Changed: func(lines []string) bool { return len(lines) > 0 },
		Lacks:   map[string]string{"Slow": "it applies at once"},
	})
}

func TestSecretContract(t *testing.T) {
	contract(t, vault.SecretName, sample{
		plain:   `{"mount":null,"path":"contract/secret/STEP","data":{"user":"app"},"generate":{"password":{"length":20}}}`,
		other:   `{"mount":null,"path":"contract/secret/STEP","data":{"user":"other"},"generate":{"password":{"length":20,"rotate":"2"}}}`,
		secret:  `{"mount":"secret","path":"contract/secret/STEP","data":{"user":"` + executortest.Secret + `"},"generate":null}`,
		partial: `{"mount":null,"path":"contract/secret/STEP","data":{"user":null},"generate":{"password":{"length":20}}}`, unknown: "data.user",
		tamper: func(t *testing.T, v real, inputs map[string]any) {
			v.put(t, "secret/data/"+inputs["path"].(string), map[string]any{"data": map[string]any{"user": "somebody", "more": "x"}})
		},
		adopt: func(t *testing.T, v real, inputs map[string]any) {
			v.put(t, "secret/data/"+inputs["path"].(string), map[string]any{"data": map[string]any{"user": "app", "password": strings.Repeat("aB3z", 5)}})
		},
	})
}

func TestPolicyContract(t *testing.T) {
	contract(t, vault.PolicyName, sample{
		plain:   `{"name":"contract-STEP","rules":"path \"secret/data/x\" { capabilities = [\"read\"] }"}`,
		other:   `{"name":"contract-STEP","rules":"path \"secret/data/x\" { capabilities = [\"read\", \"list\"] }"}`,
		secret:  `{"name":"contract-STEP","rules":"path \"secret/data/` + executortest.Secret + `\" { capabilities = [\"read\"] }"}`,
		partial: `{"name":"contract-STEP","rules":null}`, unknown: "rules",
		tamper: func(t *testing.T, v real, inputs map[string]any) {
			path := "sys/policies/acl/" + inputs["name"].(string)
			text := v.get(t, path).Data["policy"].(string)
			v.put(t, path, map[string]any{"policy": text + "\npath \"sys/seal\" { capabilities = [\"update\"] }"})
		},
	})
}

func TestAppRoleContract(t *testing.T) {
	contract(t, vault.AppRoleName, sample{
		plain:   `{"role_name":"contract-STEP","policies":["b","a"],"token_ttl":"10m","secret_id_ttl":"1h","store":"contract/approle/STEP"}`,
		other:   `{"role_name":"contract-STEP","policies":["b"],"token_ttl":"20m","secret_id_ttl":"1h","store":"contract/approle/STEP","rotate":"2"}`,
		secret:  `{"role_name":"contract-STEP","policies":["` + executortest.Secret + `"],"store":"contract/approle/STEP"}`,
		partial: `{"role_name":"contract-STEP","policies":["b",null],"token_ttl":"10m","secret_id_ttl":"1h","store":"contract/approle/STEP"}`,
		unknown: "policies[1]",
		tamper: func(t *testing.T, v real, inputs map[string]any) {
			v.put(t, "auth/approle/role/"+inputs["role_name"].(string), map[string]any{"token_policies": "root-like", "token_num_uses": 3})
		},
	})
}

func TestPKIContract(t *testing.T) {
	contract(t, vault.PKIName, sample{
		plain:   `{"role":"web","common_name":"STEP.example.test","alt_names":["b.example.test"],"ttl":"1h","renew_before":"10m","store":"contract/pki/STEP"}`,
		other:   `{"role":"web","common_name":"STEP.example.test","alt_names":["c.example.test"],"ttl":"1h","renew_before":"10m","store":"contract/pki/STEP"}`,
		secret:  `{"role":"web","common_name":"` + executortest.Secret + `","ttl":"1h","store":"contract/pki/STEP"}`,
		partial: `{"role":"web","common_name":null,"alt_names":["b.example.test"],"ttl":"1h","renew_before":"10m","store":"contract/pki/STEP"}`,
		unknown: "common_name",
		tamper: func(t *testing.T, v real, inputs map[string]any) {
			v.put(t, "pki/revoke", map[string]any{"certificate": v.values(t, inputs["store"].(string))["certificate"]})
		},
	})
}
