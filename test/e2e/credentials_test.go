package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// issuing is a Vault that issues a broker's credentials, for as long as the test wants them to live.
type issuing struct {
	t      *testing.T
	vault  *servers.Vault
	root   *vaultapi.Client
	broker *rabbithole.Client
	env    []string // of who takes them
}

func issue(t *testing.T) *issuing {
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	v, err := servers.StartVault(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Kill()) })
	m, err := servers.StartRabbitMQ(ctx, t.TempDir(), servers.RabbitMQOptions{Management: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Kill()) })
	i := &issuing{t: t, vault: v}
	i.root, err = vaultapi.NewClient(&vaultapi.Config{Address: v.Address(), HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	require.NoError(t, err)
	i.root.SetToken(v.RootToken())
	i.broker, err = rabbithole.NewClient(m.Management(), "guest", "guest")
	require.NoError(t, err)
	i.broker.SetTransport(&http.Transport{DisableKeepAlives: true})
	require.Eventually(t, func() bool { _, err := i.broker.Overview(); return err == nil }, patience, 50*time.Millisecond)
	require.NoError(t, v.Enable(ctx, "auth", "approle", "approle"))
	require.NoError(t, v.Enable(ctx, "mounts", "rabbitmq", "rabbitmq"))
	i.put("rabbitmq/config/connection", map[string]any{"connection_uri": m.Management(), "username": "guest", "password": "guest"})
	i.put("rabbitmq/roles/vivarium", map[string]any{"vhosts": `{"/":{"configure":".*","write":".*","read":".*"}}`})
	i.put("sys/policies/acl/vivarium", map[string]any{"policy": `path "rabbitmq/creds/*" { capabilities = ["read"] }`})
	i.put("auth/approle/role/vivarium", map[string]any{"token_policies": "vivarium", "token_period": "1h"})
	i.put("auth/approle/role/vivarium/role-id", map[string]any{"role_id": "the-role"})
	i.put("auth/approle/role/vivarium/custom-secret-id", map[string]any{"secret_id": "the-secret-of-the-service"})
	i.env = append(os.Environ(), "VAULT_ADDR="+v.Address(), "VAULT_ROLE_ID=the-role", "VAULT_SECRET_ID=the-secret-of-the-service",
		"VIVARIUM_BUS=amqp://"+m.Address()+"/", "VIVARIUM_BUS_CREDENTIALS=vault:rabbitmq/creds/vivarium", "VIVARIUM_LOG_LEVEL=debug")
	return i
}

func (i *issuing) put(path string, body map[string]any) {
	i.t.Helper()
	_, err := i.root.Logical().WriteWithContext(i.t.Context(), path, body)
	require.NoError(i.t, err, path)
}

func (i *issuing) lives(ttl, longest string) {
	i.put("rabbitmq/config/lease", map[string]any{"ttl": ttl, "max_ttl": longest})
}

// users are those whom Vault has made and not taken away.
func (i *issuing) users() map[string]bool {
	list, err := i.broker.ListUsers()
	require.NoError(i.t, err)
	of := map[string]bool{}
	for _, u := range list {
		if u.Name != "guest" {
			of[u.Name] = true
		}
	}
	return of
}

// start runs the server, without its runner, and a runner.
func (i *issuing) start() (s *instance, runnerLog *lockedBuffer) {
	t := i.t
	s = &instance{t: t, data: filepath.Join(t.TempDir(), "data"), log: &lockedBuffer{}, env: i.env,
		args: []string{"server", "--primary", "--no-runner", "--listen", "127.0.0.1:0", "--catalogue", catalogue(t)}}
	s.start()
	runnerLog = &lockedBuffer{}
	r := &instance{t: t, log: runnerLog, done: make(chan error, 1)}
	r.cmd = exec.Command(program, "runner", "--pool", "default", "--data-dir", t.TempDir())
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.Env = r.log, r.log, i.env
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, r.cmd.Start())
	go func() { r.done <- r.cmd.Wait(); close(r.done) }()
	t.Cleanup(func() {
		r.stop()
		s.stop()
		require.Empty(t, i.users(), "who ends gives back what was issued")
		if t.Failed() {
			t.Logf("the server printed:\n%s\nthe runner printed:\n%s", s.log, r.log)
		}
		require.NotContains(t, s.log.String()+r.log.String(), "DATA RACE")
	})
	return s, runnerLog
}

// changes waits until all that the broker knew is gone, and others are there.
func (i *issuing) changes(s *instance, names *[]string) {
	i.t.Helper()
	before := i.users()
	require.Eventually(i.t, func() bool {
		*names = append(*names, fmt.Sprint("e", len(*names)))
		_, err := s.cli("env", "create", (*names)[len(*names)-1], "--template", "hello")
		require.NoError(i.t, err, "commands on this machine have the credentials of now")
		now := i.users()
		for name := range before {
			if now[name] {
				return false
			}
		}
		return len(now) > 0
	}, patience, 10*time.Millisecond)
}

// TestTheBrokersCredentialsComeFromVault: they change in the middle of the work, are revoked in it, and Vault is away for a while; all that
// was asked for is done, and no log has any of them.
func TestTheBrokersCredentialsComeFromVault(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real Vault and a real RabbitMQ")
	}
	i := issue(t)
	i.lives("3s", "6s")
	s, runnerLog := i.start()
	var names []string
	i.changes(s, &names)
	i.changes(s, &names)

	i.lives("3s", "1h") // these live on, until somebody takes them away
	i.put("sys/leases/revoke-prefix/rabbitmq/creds/vivarium", nil)
	i.changes(s, &names)

	for n := range 3 {
		if n == 1 {
			require.NoError(t, i.vault.Seal(t.Context()))
			require.Eventually(t, func() bool {
				return strings.Contains(s.log.String(), "going on with those") && strings.Contains(runnerLog.String(), "going on with those")
			}, patience, 10*time.Millisecond)
		}
		name := fmt.Sprint("sealed", n)
		out, err := s.cli("env", "create", name, "--template", "hello", "--wait")
		require.NoError(t, err, out)
		names = append(names, name)
	}
	require.NoError(t, i.vault.Unseal(t.Context()))
	for _, name := range names {
		s.awaitStatus(name, "deployed")
	}

	var self struct{ Bus map[string]any }
	require.Equal(t, http.StatusOK, s.get("self/info", &self))
	found, err := os.ReadFile(filepath.Join(s.data, "server.json"))
	require.NoError(t, err)
	for _, log := range []string{s.log.String(), runnerLog.String(), fmt.Sprint(self)} {
		require.NotContains(t, log, "the-secret-of-the-service")
		require.NotContains(t, log, password(t, string(found)))
	}
}

// password is that of the bus, in what a server leaves for commands.
func password(t *testing.T, found string) string {
	_, rest, ok := strings.Cut(found, "amqp://")
	require.True(t, ok)
	_, rest, ok = strings.Cut(rest, ":")
	require.True(t, ok)
	secret, _, ok := strings.Cut(rest, "@")
	require.True(t, ok)
	require.Greater(t, len(secret), 16)
	return secret
}

// TestNoCredentialsForTheBroker: a server that gets none says why, and ends.
func TestNoCredentialsForTheBroker(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real Vault and a real RabbitMQ")
	}
	i := issue(t)
	tries := func(says string, variables ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, "server", "--primary", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir())
		cmd.Env = append(i.env, variables...)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), says)
		require.NotContains(t, string(out), "the-secret-of-the-service")
	}
	tries("unknown role: nobody", "VIVARIUM_BUS_CREDENTIALS=vault:rabbitmq/creds/nobody")
	tries("no secrets engine", "VIVARIUM_BUS_CREDENTIALS=vault:rabbitmq2/creds/vivarium", "VAULT_TOKEN="+i.vault.RootToken(), "VAULT_ROLE_ID=")
	tries("capability", "VIVARIUM_BUS_CREDENTIALS=vault:other/creds/vivarium")
	tries("refuses the login", "VAULT_SECRET_ID=wrong")
	tries("say which with VAULT_ADDR", "VAULT_ADDR=")
	tries("take user and password out of the address", "VIVARIUM_BUS=amqp://guest:guest@127.0.0.1:1/")
	tries("has to begin with amqp://", "VIVARIUM_BUS=nats://127.0.0.1:1")
	tries("vault:rabbitmq/creds/vivarium", "VIVARIUM_BUS_CREDENTIALS=consul:x")
	require.NoError(t, i.vault.Seal(t.Context()))
	tries("is sealed: unseal it")
}
