package initialise_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

func client(t *testing.T, address, token string) *api.Client {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: address, HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	require.NoError(t, err)
	c.SetToken(token)
	return c
}

// strayPolicy changes a policy behind the executor's back.
func strayPolicy(t *testing.T, address, token, name string) error {
	c := client(t, address, token)
	text, err := c.Sys().GetPolicyWithContext(t.Context(), name)
	require.NoError(t, err)
	return c.Sys().PutPolicyWithContext(t.Context(), name, text+"\npath \"sys/seal\" { capabilities = [\"update\"] }")
}

// TestVaultKeysAreKeptAndNeeded: what Vault says once is in the operator's file alone; without it a sealed Vault is left
// alone, with it the next run goes on, and the role's own ids do once it is unsealed.
func TestVaultKeysAreKeptAndNeeded(t *testing.T) {
	v, ctx := startVault(t, servers.VaultOptions{Uninitialised: true}), t.Context()
	policy := `path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`
	r := request(fmt.Sprintf(`{"address":%q,"shares":3,"role":"r","role_id":"id","secret_id":"secret","policy":%q,"pki":{"mount":null,"common_name":"ours","domains":["example.test"]}}`, v.Address(), policy))

	_, err := kind(t, initialise.Options{}, initialise.VaultName).Apply(ctx, r)
	require.True(t, fault.Is(err, fault.SecretUnavailable), "nobody initialises it without a place for the keys: %v", err)

	nowhere, err := initialise.OpenKeys(filepath.Join(t.TempDir(), "missing", "keys.json"))
	require.NoError(t, err)
	_, err = kind(t, initialise.Options{Keys: nowhere}, initialise.VaultName).Apply(ctx, r)
	require.ErrorContains(t, err, "can't be written")
	h, err := client(t, v.Address(), "").Sys().HealthWithContext(ctx)
	require.NoError(t, err)
	require.False(t, h.Initialized, "what could not be kept was not asked for")

	file := filepath.Join(t.TempDir(), "keys.json")
	keys, err := initialise.OpenKeys(file)
	require.NoError(t, err)
	outputs, err := kind(t, initialise.Options{Keys: keys}, initialise.VaultName).Apply(ctx, r)
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	held := keys.Held().Vault
	require.Len(t, held.Unseal, 3)
	for name, o := range outputs {
		require.NotContains(t, string(o.Value), held.RootToken, name)
	}

	r.Outputs = []byte(`{}`)
	seen, err := kind(t, initialise.Options{}, initialise.VaultName).Observe(ctx, r)
	require.NoError(t, err, "a server looks with the role's own ids")
	require.Equal(t, event.Observation{Presence: event.Present}, seen)

	require.NoError(t, v.Restart(ctx))
	_, err = kind(t, initialise.Options{}, initialise.VaultName).Apply(ctx, r)
	require.Equal(t, fault.Wait, fault.From(err).Disposition, "a server waits for who has the keys: %v", err)
	empty, err := initialise.OpenKeys("")
	require.NoError(t, err)
	_, err = kind(t, initialise.Options{Keys: empty}, initialise.VaultName).Apply(ctx, r)
	require.ErrorContains(t, err, "--keys")
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition)

	again, err := initialise.OpenKeys(file)
	require.NoError(t, err)
	_, err = kind(t, initialise.Options{Keys: again}, initialise.VaultName).Apply(ctx, r)
	require.NoError(t, err, "with the file it goes on")
	_, err = kind(t, initialise.Options{}, initialise.VaultName).Apply(ctx, r)
	require.NoError(t, err, "unsealed, the role's own ids do")
	certificate, err := client(t, v.Address(), held.RootToken).Logical().WriteWithContext(ctx, "pki/issue/r", map[string]any{"common_name": "a.example.test", "ttl": "1h"})
	require.NoError(t, err)
	require.Contains(t, certificate.Data["certificate"], "BEGIN CERTIFICATE")
}

// TestKeysThatAreLostAreKnownToBe: Vault was asked, and who asked was killed before its answer was kept.
func TestKeysThatAreLostAreKnownToBe(t *testing.T) {
	v, ctx := startVault(t, servers.VaultOptions{Uninitialised: true}), t.Context()
	file := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"cluster_key":"x","vault_begun":%q}`, v.Address()), 0o600))
	_, err := client(t, v.Address(), "").Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	require.NoError(t, err)
	keys, err := initialise.OpenKeys(file)
	require.NoError(t, err)
	require.True(t, keys.Lost())
	r := request(fmt.Sprintf(`{"address":%q,"role":"r","role_id":"id","secret_id":"secret","policy":""}`, v.Address()))
	_, err = kind(t, initialise.Options{Keys: keys}, initialise.VaultName).Apply(ctx, r)
	require.True(t, fault.Is(err, fault.SecretUnavailable), "%v", err)
	require.NoError(t, keys.Forget())
	keys, err = initialise.OpenKeys(file)
	require.NoError(t, err)
	require.False(t, keys.Lost())

	fresh := startVault(t, servers.VaultOptions{Uninitialised: true})
	e, r := kind(t, initialise.Options{Keys: keys}, initialise.VaultName), request(strings.ReplaceAll(string(r.Inputs), v.Address(), fresh.Address()))
	require.NoError(t, os.RemoveAll(filepath.Dir(file)))
	_, err = e.Apply(ctx, r)
	require.ErrorContains(t, err, "the file of the keys can't be written")
	require.False(t, keys.Lost(), "what could not be kept was not asked")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	_, err = e.Apply(ctx, r)
	require.NoError(t, err)
	require.False(t, keys.Lost(), "its answer is kept")
}

// TestACertificateIsRenewedBeforeItsEnd: a look says so, an apply gets another one, and not before; whoever trusts the authority trusts it.
func TestACertificateIsRenewedBeforeItsEnd(t *testing.T) {
	v, ctx := startVault(t, servers.VaultOptions{}), t.Context()
	require.NoError(t, v.Enable(ctx, "auth", "approle", "approle"))
	root := client(t, v.Address(), v.RootToken())
	admin(t, root)
	authority(t, v, root)
	inputs := func(ttl, address string) string {
		return fmt.Sprintf(`{"address":%q,"role_id":"admin","secret_id":"admin","role":"r","common_name":"a.example.test","addresses":[%q],"ttl":%q}`, v.Address(), address, ttl)
	}
	e := kind(t, initialise.Options{}, initialise.VaultCertificateName)
	_, err := e.Apply(ctx, request(inputs("1h", "not an address")))
	require.ErrorContains(t, err, "IP addresses")
	_, err = e.Apply(ctx, request(strings.Replace(inputs("1h", "127.0.0.1"), `"r"`, `"nobody"`, 1)))
	require.ErrorContains(t, err, "is the role there")

	r := request(inputs("1h", "127.0.0.1"))
	one := applied(t, e, &r)
	require.Equal(t, one["serial"], applied(t, e, &r)["serial"], "it stays")
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(one["ca"])))
	pair, err := tls.X509KeyPair([]byte(one["certificate"]), []byte(one["private_key"]))
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "127.0.0.1"})
	require.NoError(t, err)
	other := request(inputs("1h", "127.0.0.2"))
	other.Outputs = r.Outputs
	require.NotEqual(t, one["serial"], applied(t, e, &other)["serial"], "another address wants another certificate")

	// Vault dates certificates half a minute back, so that two thirds of such a short life are over at once.
	short := request(inputs("6s", "127.0.0.1"))
	first := applied(t, e, &short)
	seen, err := e.Observe(ctx, short)
	require.NoError(t, err)
	require.True(t, seen.Drifted)
	require.Contains(t, fmt.Sprint(seen.Differences), "renewed, since it ends at")
	require.NotEqual(t, first["serial"], applied(t, e, &short)["serial"])
}

// applied keeps the outputs for the next request, and returns them.
func applied(t *testing.T, e executor.Executor, r *executor.Request) map[string]string {
	t.Helper()
	outputs, err := e.Apply(t.Context(), *r)
	require.NoError(t, err)
	values := map[string]string{}
	for name, o := range outputs {
		var text string
		require.NoError(t, json.Unmarshal(o.Value, &text))
		values[name] = text
		require.Equal(t, name == "private_key", o.Sensitive, name)
	}
	r.Outputs, err = json.Marshal(values)
	require.NoError(t, err)
	return values
}
