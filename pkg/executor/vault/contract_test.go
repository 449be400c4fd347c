package vault_test

import (
	"encoding/json"
	"testing"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
)

// contract runs the suite; plain and secret are inputs with STEP where every step has to have something of its own.
func contract(t *testing.T, name, plain, secret string) {
	v := realVault(t)
	executortest.Run(t, executortest.Suite{
		New:        func(t *testing.T, _ string) executor.Executor { return perStep{v.rooted(t, name, "").Executor} },
		Plain:      json.RawMessage(plain),
		WithSecret: json.RawMessage(secret),
		Changed:    func(lines []string) bool { return len(lines) > 0 },
		Lacks: map[string]string{
			"Slow": "it applies at once", "Plan": "its plan knows no more yet than what is there", "Other": "the same", "Partial": "the same", "Tamper": "the same",
		},
	})
}

func TestSecretContract(t *testing.T) {
	contract(t, vault.SecretName,
		`{"mount":null,"path":"contract/secret/STEP","data":{"user":"app"},"generate":{"password":{"length":20}}}`,
		`{"mount":"secret","path":"contract/secret/STEP","data":{"user":"`+executortest.Secret+`"},"generate":null}`)
}

func TestPolicyContract(t *testing.T) {
	contract(t, vault.PolicyName,
		`{"name":"contract-STEP","rules":"path \"secret/data/x\" { capabilities = [\"read\"] }"}`,
		`{"name":"contract-STEP","rules":"path \"secret/data/`+executortest.Secret+`\" { capabilities = [\"read\"] }"}`)
}

func TestAppRoleContract(t *testing.T) {
	contract(t, vault.AppRoleName,
		`{"role_name":"contract-STEP","policies":["b","a"],"token_ttl":"10m","secret_id_ttl":"1h","store":"contract/approle/STEP"}`,
		`{"role_name":"contract-STEP","policies":["`+executortest.Secret+`"],"store":"contract/approle/STEP"}`)
}

func TestPKIContract(t *testing.T) {
	contract(t, vault.PKIName,
		`{"role":"web","common_name":"STEP.example.test","alt_names":["b.example.test"],"ttl":"1h","renew_before":"10m","store":"contract/pki/STEP"}`,
		`{"role":"web","common_name":"`+executortest.Secret+`","ttl":"1h","store":"contract/pki/STEP"}`)
}
