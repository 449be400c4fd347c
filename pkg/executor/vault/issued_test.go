package vault_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// issuing is a Vault whose engine rabbitmq makes users of a real broker.
type issuing struct {
	real
	broker *rabbithole.Client
	login  vault.AppRole
}

func startIssuing(t *testing.T) issuing {
	t.Helper()
	v := realVault(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := servers.StartRabbitMQ(ctx, t.TempDir(), servers.RabbitMQOptions{Management: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Kill() })
	c, err := rabbithole.NewClient(m.Management(), "guest", "guest")
	require.NoError(t, err)
	c.SetTransport(&http.Transport{DisableKeepAlives: true})
	require.Eventually(t, func() bool { _, err := c.Overview(); return err == nil }, time.Minute, 50*time.Millisecond)
	require.NoError(t, v.Enable(ctx, "mounts", "rabbitmq", "rabbitmq"))
	t.Cleanup(func() { v.disable(t, "rabbitmq") })
	v.put(t, "rabbitmq/config/connection", map[string]any{"connection_uri": m.Management(), "username": "guest", "password": "guest"})
	v.put(t, "rabbitmq/roles/service", map[string]any{"vhosts": `{"/":{"configure":".*","write":".*","read":".*"}}`})
	policy := v.policy(t, `path "rabbitmq/creds/*" { capabilities = ["read"] }`)
	v.put(t, "auth/approle/role/issued", map[string]any{"token_policies": policy, "token_period": "1h"})
	v.put(t, "auth/approle/role/issued/role-id", map[string]any{"role_id": "issued"})
	secret := v.put(t, "auth/approle/role/issued/secret-id", nil)
	return issuing{v, c, vault.AppRole{RoleID: "issued", SecretID: secret.Data["secret_id"].(string)}}
}

func (v real) disable(t *testing.T, mount string) {
	_, err := v.Logical().DeleteWithContext(context.Background(), "sys/mounts/"+mount)
	require.NoError(t, err)
}

func (v issuing) lives(t *testing.T, ttl, longest string) {
	t.Helper()
	v.put(t, "rabbitmq/config/lease", map[string]any{"ttl": ttl, "max_ttl": longest})
}

// has tells whether the broker knows a user.
func (v issuing) has(t *testing.T, user string) bool {
	t.Helper()
	users, err := v.broker.ListUsers()
	require.NoError(t, err)
	for _, u := range users {
		if u.Name == user {
			return true
		}
	}
	return false
}

// buffer is a log that goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestIssuedCredentialsAreKept: renewed while they can be, replaced before their end and when they are revoked, kept while Vault is
// sealed, and given back in the end.
func TestIssuedCredentialsAreKept(t *testing.T) {
	v, ctx := startIssuing(t), t.Context()
	log := &buffer{}
	i := vault.Connect(vault.Options{Address: v.Vault.Address(), AppRole: &v.login, Log: slog.New(slog.NewTextHandler(log, nil))}).Issue("rabbitmq/creds/service")
	changed := make(chan struct{}, 100)
	i.Changed = func() { changed <- struct{}{} }
	require.NoError(t, i.Start(ctx))

	v.lives(t, "3s", "6s")
	one, err := i.Get(ctx, "")
	require.NoError(t, err)
	again, err := i.Get(ctx, "")
	require.NoError(t, err)
	require.Equal(t, one, again)
	require.Eventually(t, func() bool { return spent(one) }, time.Minute, 5*time.Millisecond, "the longest life is near its end")
	two := i.Current()
	require.NotEqual(t, one.User, two.User)
	require.True(t, v.has(t, two.User))
	require.Eventually(t, func() bool { return !v.has(t, one.User) }, time.Minute, 50*time.Millisecond, "Vault takes them away")

	v.lives(t, "2s", "1h")
	three, err := i.Get(ctx, two.User)
	require.NoError(t, err, "who was refused gets others")
	require.NotEqual(t, two.User, three.User)
	require.True(t, spent(two))
	v.put(t, "sys/leases/revoke-prefix/rabbitmq/creds/service", nil)
	require.Eventually(t, func() bool { return spent(three) }, time.Minute, 5*time.Millisecond, "a lease that is revoked is not renewed")

	four := i.Current()
	require.NoError(t, v.Seal(ctx))
	require.Eventually(t, func() bool { return bytes.Contains([]byte(log.String()), []byte("going on with those that there are")) }, time.Minute, 5*time.Millisecond)
	kept, err := i.Get(ctx, "")
	require.NoError(t, err)
	require.Equal(t, four, kept)
	_, err = i.Get(ctx, four.User)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.ErrorContains(t, err, "sealed")
	require.NoError(t, v.Unseal(ctx))
	require.Eventually(t, func() bool { return v.has(t, i.Current().User) }, time.Minute, 50*time.Millisecond)

	last := i.Current()
	require.NoError(t, i.Stop(context.Background()))
	require.Eventually(t, func() bool { return !v.has(t, last.User) }, time.Minute, 50*time.Millisecond, "given back")
	require.GreaterOrEqual(t, len(changed), 4)
	for _, c := range []vault.Credential{one, two, three, four, last} {
		require.NotContains(t, log.String(), c.Password)
	}
}

func spent(c vault.Credential) bool {
	select {
	case <-c.Spent:
		return true
	default:
		return false
	}
}

// TestNothingIsIssued: each way to be refused says what to do.
func TestNothingIsIssued(t *testing.T) {
	v, ctx := startIssuing(t), t.Context()
	for _, c := range []struct {
		path string
		o    vault.Options
		code fault.Code
		says string
	}{
		{"rabbitmq/creds/nobody", vault.Options{}, fault.NotFound, "unknown role: nobody"},
		{"rabbit/creds/service", vault.Options{Token: v.RootToken()}, fault.NotFound, "no secrets engine at"},
		{"secret/data/x", vault.Options{}, fault.PermissionDenied, "capability"},
		{"rabbitmq/creds/service", vault.Options{AppRole: &vault.AppRole{RoleID: "issued", SecretID: "wrong"}}, vault.LoginFailed, "login"},
	} {
		c.o.Address = v.Vault.Address()
		if c.o.AppRole == nil && c.o.Token == "" {
			c.o.AppRole = &v.login
		}
		i := vault.Connect(c.o).Issue(c.path)
		require.NoError(t, i.Start(ctx))
		_, err := i.Get(ctx, "")
		require.True(t, fault.Is(err, c.code), "%s: %v", c.path, err)
		require.ErrorContains(t, err, c.says)
		require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
		require.NoError(t, i.Stop(context.Background()))
	}
}
