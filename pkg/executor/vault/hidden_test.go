package vault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// TestSecretsStayHidden looks for all that is secret, made by Vault or by us, where it must not be.
func TestSecretsStayHidden(t *testing.T) {
	v, path := realVault(t), unique(t)
	var seen bytes.Buffer
	o := v.login(t, map[string]any{"token_ttl": "1h"})
	root := vault.Options{Address: v.Vault.Address(), Token: v.RootToken()}
	for name, inputs := range map[string]string{
		vault.SecretName:  secretInputs(path+"/secret", `"data":{"user":"given-by-the-user"},"generate":{"password":{},"token":{}}`),
		vault.AppRoleName: fmt.Sprintf(`{"role_name":"hidden-%d","store":"%s/approle"}`, number(path), path),
		vault.PKIName:     pkiInputs(path+"/pki", `,"ttl":"1h"`),
	} {
		for _, o := range []vault.Options{o, root} { // the first is denied some of it, which makes errors
			o.Log = slog.New(slog.NewTextHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug}))
			s := newStep(kind(t, connect(t, o), name), inputs)
			s.Secrets = []string{"given-by-the-user"}
			outputs, err := s.Apply(t.Context(), s.Request)
			fmt.Fprintln(&seen, err)
			for _, out := range outputs {
				if !out.Sensitive {
					seen.Write(out.Value)
				}
			}
			if err == nil {
				s.remember(t, outputs)
				fmt.Fprintln(&seen, s.Destroy(t.Context(), s.Request))
			}
			for _, line := range s.log.Take() {
				fmt.Fprintln(&seen, line)
			}
			for _, secret := range secretsOf(t, s.Outputs) {
				require.NotContains(t, seen.String(), secret)
			}
		}
	}
	require.Contains(t, seen.String(), "permission-denied")
	require.Contains(t, seen.String(), "generated password, token")
	for _, secret := range []string{"given-by-the-user", v.RootToken(), o.AppRole.SecretID, "PRIVATE KEY"} {
		require.NotContains(t, seen.String(), secret)
	}
}

// secretsOf are the values of the outputs that nobody may see.
func secretsOf(t *testing.T, outputs json.RawMessage) (secrets []string) {
	t.Helper()
	var o struct {
		Data       map[string]string `json:"data"`
		SecretID   string            `json:"secret_id"`
		PrivateKey string            `json:"private_key"`
	}
	if outputs != nil {
		require.NoError(t, json.Unmarshal(outputs, &o))
	}
	for _, s := range append([]string{o.SecretID, o.PrivateKey, o.Data["password"]}, o.Data["token"]) {
		if s != "" {
			secrets = append(secrets, s)
		}
	}
	return secrets
}

// TestATemplateOfAllKinds compiles one that uses each kind, and another's outputs.
func TestATemplateOfAllKinds(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "template.hcl"), []byte(`
template "sample" { version = "1.0.0" }
resource "vault_secret" "database" {
  path     = "environments/${environment.name}/database"
  data     = { user = "app" }
  generate = { password = { length = 24, rotate = "2027-01" } }
}
resource "vault_policy" "reader" {
  name  = "${environment.name}-reader"
  rules = "path \"secret/data/${resource.vault_secret.database.outputs.path}\" { capabilities = [\"read\"] }"
}
resource "vault_approle" "api" {
  role_name = "${environment.name}-api"
  policies  = [resource.vault_policy.reader.outputs.name]
  token_ttl = "10m"
  store     = "environments/${environment.name}/approle"
}
resource "vault_pki" "web" {
  role        = "web"
  common_name = "${environment.name}.example.test"
  ttl         = "24h"
  store       = "environments/${environment.name}/certificate"
}
resource "vault_secret" "url" {
  path = "environments/${environment.name}/url"
  data = {
    url = "postgres://app:${resource.vault_secret.database.outputs.data.password}@db"
    key = resource.vault_pki.web.outputs.private_key
    id  = resource.vault_approle.api.outputs.secret_id
  }
}
`), 0o600))
	kinds := template.Kinds{}
	for _, e := range vault.New(vault.Options{}) {
		kinds[e.Kind().Name] = e.Kind()
	}
	require.Len(t, kinds, 4)
	_, err := template.Compile(os.DirFS(dir), dir, kinds)
	require.NoError(t, err)
}
