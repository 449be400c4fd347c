package initialise_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	vaultapi "github.com/hashicorp/vault/api"
	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

const management = "11111111-2222-4333-8444-555555555555"

func suite(t *testing.T, name string, o initialise.Options, inputs func(other, secret string) string, tamper func(t *testing.T, inputs map[string]any)) {
	executortest.Run(t, executortest.Suite{
		New: func(t *testing.T, _ string) executor.Executor {
			return perStep{executortest.PerStep{Executor: kind(t, o, name)}}
		},
		Plain:      json.RawMessage(inputs("", "")),
		Other:      json.RawMessage(inputs("other", "")),
		WithSecret: json.RawMessage(inputs("", executortest.Secret)),
		Partial:    &executortest.Partial{Inputs: json.RawMessage(inputs("", "")), Unknown: map[string][]string{"address": {"sample.noop.other"}}},
		Tamper: func(t *testing.T, r executor.Request) {
			var of map[string]any
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
	}, func(t *testing.T, of map[string]any) {
		client, err := api.NewClient(&api.Config{Address: c.Address(), Token: management})
		require.NoError(t, err)
		p, _, err := client.ACL().PolicyReadByName(of["name"].(string), nil)
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
	m := startManaged(t)
	suite(t, initialise.RabbitName, initialise.Options{}, func(other, secret string) string {
		return fmt.Sprintf(`{"address":%q,"administrator":"guest","password":"guest","virtual_host":"h-STEP","user":"u-STEP","user_password":%q}`,
			m.Management(), "pass"+other+secret)
	}, func(t *testing.T, of map[string]any) {
		client, err := rabbithole.NewClient(m.Management(), "guest", "guest")
		require.NoError(t, err)
		_, err = client.UpdatePermissionsIn(of["virtual_host"].(string), of["user"].(string), rabbithole.Permissions{Configure: "", Write: "", Read: ""})
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
	}, func(t *testing.T, of map[string]any) {
		require.NoError(t, strayPolicy(t, v.Address(), keys.Held().Vault.RootToken, of["role"].(string)))
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

// startManaged starts a real RabbitMQ with its management plugin, and waits until that answers.
func startManaged(t *testing.T) *servers.RabbitMQ {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := servers.StartRabbitMQ(ctx, t.TempDir(), servers.RabbitMQOptions{Management: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Kill() })
	client := rabbit(t, m.Management(), "guest", "guest")
	require.Eventually(t, func() bool { _, err := client.Overview(); return err == nil }, patience, 50*time.Millisecond)
	return m
}

func rabbit(t *testing.T, address, user, password string) *rabbithole.Client {
	t.Helper()
	c, err := rabbithole.NewClient(address, user, password)
	require.NoError(t, err)
	c.SetTransport(&http.Transport{DisableKeepAlives: true})
	return c
}

func TestVaultRabbitContract(t *testing.T) {
	v := startVault(t, servers.VaultOptions{})
	m := startManaged(t)
	require.NoError(t, v.Enable(t.Context(), "auth", "approle", "approle"))
	root := client(t, v.Address(), v.RootToken())
	admin(t, root)
	suite(t, initialise.VaultRabbitName, initialise.Options{}, func(other, secret string) string {
		return fmt.Sprintf(`{"address":%q,"role_id":"admin","secret_id":"admin","broker":%q,"administrator":"guest","password":"guest","mount":"m-STEP",`+
			`"role":"r","virtual_host":"/","tags":%q,"login":{"name":"l-STEP","role_id":"id-STEP","secret_id":%q}}`, v.Address(), m.Management(), other, "secret-STEP"+secret)
	}, func(t *testing.T, of map[string]any) {
		_, err := root.Logical().WriteWithContext(t.Context(), of["mount"].(string)+"/config/lease", map[string]any{"ttl": 7, "max_ttl": 8})
		require.NoError(t, err)
	})
}

func TestVaultCertificateContract(t *testing.T) {
	v := startVault(t, servers.VaultOptions{})
	require.NoError(t, v.Enable(t.Context(), "auth", "approle", "approle"))
	root := client(t, v.Address(), v.RootToken())
	admin(t, root)
	authority(t, v, root)
	suite(t, initialise.VaultCertificateName, initialise.Options{}, func(other, secret string) string {
		return fmt.Sprintf(`{"address":%q,"role_id":"admin","secret_id":"admin","role":"r","common_name":"STEP%s.example.test","names":["localhost"],"addresses":["127.0.0.1"]}`,
			v.Address(), other+strings.ToLower(secret))
	}, func(t *testing.T, of map[string]any) {
		revokeAll(t, root, of["common_name"].(string))
	})
}

// authority makes a role that gives out anything.
func authority(t *testing.T, v *servers.Vault, root *vaultapi.Client) {
	t.Helper()
	require.NoError(t, v.Enable(t.Context(), "mounts", "pki", "pki"))
	for path, body := range map[string]map[string]any{
		"pki/root/generate/internal": {"common_name": "ours", "ttl": "24h", "key_type": "ec", "key_bits": 256},
		"pki/roles/r":                {"allow_any_name": true, "enforce_hostnames": false, "key_type": "ec", "key_bits": 256, "max_ttl": "12h"},
	} {
		_, err := root.Logical().WriteWithContext(t.Context(), path, body)
		require.NoError(t, err)
	}
}

// revokeAll revokes the certificates of a name.
func revokeAll(t *testing.T, root *vaultapi.Client, name string) {
	t.Helper()
	list, err := root.Logical().ListWithContext(t.Context(), "pki/certs")
	require.NoError(t, err)
	for _, serial := range list.Data["keys"].([]any) {
		found, err := root.Logical().ReadWithContext(t.Context(), "pki/cert/"+serial.(string))
		require.NoError(t, err)
		block, _ := pem.Decode([]byte(found.Data["certificate"].(string)))
		leaf, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		if leaf.Subject.CommonName == name {
			_, err = root.Logical().WriteWithContext(t.Context(), "pki/revoke", map[string]any{"serial_number": serial})
			require.NoError(t, err)
		}
	}
}

// admin makes a role that may do what these steps do.
func admin(t *testing.T, root *vaultapi.Client) {
	t.Helper()
	for _, w := range []struct {
		path string
		body map[string]any
	}{
		{"sys/policies/acl/admin", map[string]any{"policy": `path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`}},
		{"auth/approle/role/admin", map[string]any{"token_policies": "admin"}},
		{"auth/approle/role/admin/role-id", map[string]any{"role_id": "admin"}},
		{"auth/approle/role/admin/custom-secret-id", map[string]any{"secret_id": "admin"}},
	} {
		_, err := root.Logical().WriteWithContext(t.Context(), w.path, w.body)
		require.NoError(t, err, w.path)
	}
}

// TestVaultIssuesWhatTheBrokerTakes: the login may have credentials and nothing else, the broker takes them, and what can't be is said.
func TestVaultIssuesWhatTheBrokerTakes(t *testing.T) {
	v := startVault(t, servers.VaultOptions{})
	m, ctx := startManaged(t), t.Context()
	require.NoError(t, v.Enable(ctx, "auth", "approle", "approle"))
	admin(t, client(t, v.Address(), v.RootToken()))
	inputs := func(password, ttl string) string {
		return fmt.Sprintf(`{"address":%q,"role_id":"admin","secret_id":"admin","broker":%q,"administrator":"guest","password":%q,"role":"r","virtual_host":"/",`+
			`"ttl":%q,"login":{"name":"service","role_id":"service","secret_id":"of the service"}}`, v.Address(), m.Management(), password, ttl)
	}
	e := kind(t, initialise.Options{}, initialise.VaultRabbitName)
	_, err := e.Apply(ctx, request(inputs("guest", "soon")))
	require.ErrorContains(t, err, "ttl and max_ttl")
	_, err = e.Apply(ctx, request(inputs("not the password", "1h")))
	require.ErrorContains(t, err, "is the password right?")
	require.NotContains(t, err.Error(), "not the password")

	out, err := e.Apply(ctx, request(inputs("guest", "1h")))
	require.NoError(t, err, "it goes on where the attempt before ended")
	require.JSONEq(t, `"rabbitmq/creds/r"`, string(out["path"].Value))
	service := client(t, v.Address(), "")
	login, err := service.Logical().WriteWithContext(ctx, "auth/approle/login", map[string]any{"role_id": "service", "secret_id": "of the service"})
	require.NoError(t, err)
	service.SetToken(login.Auth.ClientToken)
	issued, err := service.Logical().ReadWithContext(ctx, "rabbitmq/creds/r")
	require.NoError(t, err)
	require.Equal(t, 3600, issued.LeaseDuration)
	_, err = service.Logical().ReadWithContext(ctx, "sys/mounts")
	require.Error(t, err, "nothing else")
	user, password := issued.Data["username"].(string), issued.Data["password"].(string)
	conn, err := amqp091.Dial("amqp://" + url.UserPassword(user, password).String() + "@" + m.Address() + "/")
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	require.NoError(t, e.Destroy(ctx, request(inputs("guest", "1h"))))
	users, err := rabbit(t, m.Management(), "guest", "guest").ListUsers()
	require.NoError(t, err)
	require.Len(t, users, 1, "what was issued is gone with the engine")
	require.NoError(t, v.Seal(ctx))
	_, err = e.Apply(ctx, request(inputs("guest", "1h")))
	require.Equal(t, fault.Wait, fault.From(err).Disposition, "%v", err)
	require.ErrorContains(t, err, "unseal it")
}
