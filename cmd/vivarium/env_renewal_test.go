package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// certified has a certificate, and something that is made of it.
const certified = `
template "certified" {
  version = "1.0.0"
}
resource "vault_certificate" "it" {
  address     = %q
  role_id     = "tester"
  secret_id   = "tester"
  role        = "short"
  common_name = "it.example.test"
  ttl         = "1h"
}
resource "consul_kv" "user" {
  prefix = "certified/${environment.name}"
  keys   = { serial = resource.vault_certificate.it.outputs.serial }
}
output "serial" { value = resource.vault_certificate.it.outputs.serial }
`

// TestACertificateNearItsEndIsRenewedByItself: a look that nobody asked for finds it, and with the policy it is healed, with what depends on it.
func TestACertificateNearItsEndIsRenewedByItself(t *testing.T) {
	address, role := issuing(t)
	consul := servers.SharedConsul(t)
	role(t, "5h") // so that of its life of six hours less than a third is left
	templates := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(templates, "certified"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "certified", "template.hcl"), fmt.Appendf(nil, certified, address), 0o600))
	r := serveWith(t, map[string]string{"CONSUL_HTTP_ADDR": consul.Address(), "VIVARIUM_DRIFT_INTERVAL": "1s"}, t.TempDir(), templates, "--primary")
	k := &keeper{r, "http://" + consul.Address() + "/v1/kv/certified/"}

	k.command(t, exitOK, "env", "create", "one", "--template", "certified", "--wait")
	first := k.value(t, "one/serial")
	require.NotEmpty(t, first)
	require.Eventually(t, func() bool {
		return strings.Contains(k.command(t, exitOK, "env", "show", "one"), "renewed, since it ends at")
	}, time.Minute, 300*time.Millisecond, "it is reported")
	require.Equal(t, first, k.value(t, "one/serial"), "nobody has asked for it to be renewed")

	role(t, "30s")
	k.command(t, exitOK, "env", "schedule", "one", "--drift-policy", "heal")
	require.Eventually(t, func() bool { return k.value(t, "one/serial") != first }, time.Minute, 300*time.Millisecond, "%s", r.log)
	require.Eventually(t, func() bool {
		var shown struct {
			Environment struct {
				Status  string
				Outputs struct{ Serial string }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(k.command(t, exitOK, "env", "show", "one", "-o", "json")), &shown))
		return shown.Environment.Status == "deployed" && shown.Environment.Outputs.Serial == k.value(t, "one/serial")
	}, time.Minute, 300*time.Millisecond)
	require.Contains(t, k.command(t, exitOK, "env", "journal", "one"), "environment.healing")
	require.Contains(t, k.command(t, exitOK, "env", "check", "one", "--wait", "--detailed-exitcode"), "0 of 2 resources looked at are not as they were left")
}

// issuing is a Vault whose authority gives out certificates by the role short, to who logs in as tester. role says how far they are dated back.
func issuing(t *testing.T) (address string, role func(t *testing.T, back string)) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real Vault")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // it may have to be built
	defer cancel()
	v, err := servers.StartVault(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Kill()) })
	require.NoError(t, v.Enable(ctx, "auth", "approle", "approle"))
	require.NoError(t, v.Enable(ctx, "mounts", "pki", "pki"))
	root, err := api.NewClient(&api.Config{Address: v.Address(), HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	require.NoError(t, err)
	root.SetToken(v.RootToken())
	write := func(t *testing.T, path string, body map[string]any) {
		t.Helper()
		_, err := root.Logical().WriteWithContext(t.Context(), path, body)
		require.NoError(t, err, path)
	}
	write(t, "pki/root/generate/internal", map[string]any{"common_name": "authority", "ttl": "24h", "key_type": "ec", "key_bits": 256})
	write(t, "sys/policies/acl/tester", map[string]any{"policy": `path "pki/*" { capabilities = ["create", "read", "update"] }`})
	write(t, "auth/approle/role/tester", map[string]any{"token_policies": "tester"})
	write(t, "auth/approle/role/tester/role-id", map[string]any{"role_id": "tester"})
	write(t, "auth/approle/role/tester/custom-secret-id", map[string]any{"secret_id": "tester"})
	return v.Address(), func(t *testing.T, back string) {
		t.Helper()
		write(t, "pki/roles/short", map[string]any{"allow_any_name": true, "key_type": "ec", "key_bits": 256, "max_ttl": "12h", "not_before_duration": back})
	}
}
