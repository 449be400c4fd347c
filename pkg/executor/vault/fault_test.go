package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func replaced(inputs, path string) string { return strings.ReplaceAll(inputs, "PATH", path) }

func TestSealedInTheMiddle(t *testing.T) {
	v, path := realVault(t), unique(t)
	p := newProxy(t, v)
	sealed := false
	p.before = func(_ int, r *http.Request) error {
		if !sealed && r.URL.Path == "/v1/secret/data/"+path && r.Method == http.MethodPut {
			sealed = true
			return v.Seal(context.WithoutCancel(t.Context()))
		}
		return nil
	}
	s := p.through(t, v, vault.SecretName, secretInputs(path, `"generate":{"password":{}}`))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Unavailable, fault.Wait, p.URL, "sealed", "unseal")
	_, err = s.Observe(t.Context(), s.Request)
	requireFault(t, err, fault.Unavailable, fault.Wait, "sealed")
	_, err = s.Executor.Plan(t.Context(), s.Request, event.Apply)
	requireFault(t, err, fault.Unavailable, fault.Wait, "sealed", "unseal")
	requireFault(t, s.Destroy(t.Context(), s.Request), fault.Unavailable, fault.Wait, "sealed")
	require.NoError(t, v.Unseal(t.Context()))
	require.EqualValues(t, 1, s.apply(t)["version"])
}

func TestSealedBeforeALogin(t *testing.T) {
	v := realVault(t)
	require.NoError(t, v.Seal(t.Context()))
	s := newStep(kind(t, connect(t, vault.Options{Address: v.Vault.Address(), AppRole: &vault.AppRole{RoleID: "a", SecretID: "b"}}), vault.SecretName),
		secretInputs(unique(t), `"data":{}`))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Unavailable, fault.Wait, v.Vault.Address(), "sealed")
	require.NoError(t, v.Unseal(t.Context()))
	_, err = s.Apply(t.Context(), s.Request)
	requireFault(t, err, vault.LoginFailed, fault.GiveUp, "auth/approle/login")
}

func TestAbsent(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c := connect(t, vault.Options{Address: gone.URL, Token: "t"})
	for _, e := range c.Executors() {
		s := newStep(e, `{"path":"a","name":"a","rules":"","role":"r","role_name":"r","common_name":"c","store":"s"}`)
		_, err := s.Apply(t.Context(), s.Request)
		requireFault(t, err, fault.Unavailable, fault.Wait, gone.URL)
		require.Equal(t, "Vault "+gone.URL, e.(executor.Targeter).Target(s.Request))
	}
}

// TestStandby: what a node without a leader answers, which one real node does only for moments.
func TestStandby(t *testing.T) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/sys/health" {
			_, _ = w.Write([]byte(`{"initialized":true,"sealed":false,"standby":true}`))
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"errors":["local node not active but active cluster node not found"]}`))
	}))
	defer node.Close()
	s := newStep(kind(t, connect(t, vault.Options{Address: node.URL, Token: "t"}), vault.PolicyName), `{"name":"a","rules":""}`)
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Unavailable, fault.Wait, node.URL, "standby")
}

func TestSilence(t *testing.T) {
	release := make(chan struct{})
	node := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer node.Close()
	defer close(release)
	s := newStep(kind(t, connect(t, vault.Options{Address: node.URL, Token: "t", Timeout: 50 * time.Millisecond}), vault.PolicyName), `{"name":"a","rules":""}`)
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Unavailable, fault.Wait, node.URL)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = s.Apply(ctx, s.Request)
	require.Equal(t, fault.Timeout, fault.From(err).Code, "the task's own time is no fault of Vault")
}

func TestPermissionDenied(t *testing.T) {
	v, path := realVault(t), unique(t)
	policy := v.policy(t, fmt.Sprintf("path \"secret/metadata/%s\" { capabilities = [\"create\", \"read\", \"update\"] }\n", path))
	token := v.token(t, map[string]any{"policies": []string{policy}, "ttl": "1h"})
	s := newStep(kind(t, connect(t, vault.Options{Address: v.Vault.Address(), Token: token}), vault.SecretName), secretInputs(path, `"data":{"k":"v"}`))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.PermissionDenied, fault.GiveUp, `"create and update"`, "secret/data/"+path, v.Vault.Address())
	requireFault(t, s.Destroy(t.Context(), s.Request), fault.PermissionDenied, fault.GiveUp, `"delete"`, "secret/metadata/"+path)
}

func TestATokenThatIsGone(t *testing.T) {
	v, path := realVault(t), unique(t)
	token := v.token(t, map[string]any{"ttl": "1h"})
	s := newStep(kind(t, connect(t, vault.Options{Address: v.Vault.Address(), Token: token}), vault.SecretName), secretInputs(path, `"data":{"k":"v"}`))
	s.apply(t)
	v.put(t, "auth/token/revoke", map[string]any{"token": token})
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, vault.LoginFailed, fault.GiveUp, v.Vault.Address(), "expired or was revoked", "new one")
	require.NotContains(t, err.Error(), token)
}

// login makes a role that may do what the tests need, and the options of a runner that uses it.
func (v real) login(t *testing.T, settings map[string]any) vault.Options {
	t.Helper()
	name := v.policy(t, `path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }`)
	settings["token_policies"] = name
	v.put(t, "auth/approle/role/"+name, settings)
	id := v.get(t, "auth/approle/role/"+name+"/role-id").Data["role_id"].(string)
	secret := v.put(t, "auth/approle/role/"+name+"/secret-id", nil).Data["secret_id"].(string)
	return vault.Options{Address: v.Vault.Address(), AppRole: &vault.AppRole{RoleID: id, SecretID: secret}}
}

func TestLogsInAgainOnce(t *testing.T) {
	v, path := realVault(t), unique(t)
	p := newProxy(t, v)
	var tokens []string
	logins := 0
	p.before = func(_ int, r *http.Request) error {
		if token := r.Header.Get("X-Vault-Token"); token != "" {
			tokens = append(tokens, token)
		}
		if r.URL.Path == "/v1/auth/approle/login" {
			logins++
		}
		return nil
	}
	o := v.login(t, map[string]any{"token_ttl": "1h"})
	o.Address = p.URL
	s := newStep(kind(t, connect(t, o), vault.SecretName), secretInputs(path, `"generate":{"a":{}}`))
	first := s.apply(t)
	require.Equal(t, 1, logins)
	v.put(t, "auth/token/revoke", map[string]any{"token": tokens[len(tokens)-1]})
	require.Equal(t, first, s.apply(t))
	require.Equal(t, 2, logins)

	// A call that is not allowed is no reason to log in again.
	s.Inputs = json.RawMessage(`{"mount":"pki","path":"a"}`)
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.PermissionDenied, fault.GiveUp)
	require.Equal(t, 2, logins)

	// Once the login is taken back too, that is said.
	v.put(t, "auth/token/revoke", map[string]any{"token": tokens[len(tokens)-1]})
	_, err = v.Logical().DeleteWithContext(t.Context(), "auth/approle/role/"+fmt.Sprintf("test-%d", number(t.Name())))
	require.NoError(t, err)
	s.Inputs = json.RawMessage(secretInputs(path, `"generate":{"a":{}}`))
	_, err = s.Apply(t.Context(), s.Request)
	requireFault(t, err, vault.LoginFailed, fault.GiveUp, "auth/approle/login")
	require.NotContains(t, err.Error(), o.AppRole.SecretID)
}

// TestTheTokenIsRenewed: a started client keeps a token of two seconds alive by itself, and replaces it when it can't be
// prolonged any more.
func TestTheTokenIsRenewed(t *testing.T) {
	v := realVault(t)
	p := newProxy(t, v)
	var renewals, logins int
	p.before = func(_ int, r *http.Request) error {
		switch r.URL.Path {
		case "/v1/auth/token/renew-self":
			renewals++
		case "/v1/auth/approle/login":
			logins++
		}
		return nil
	}
	o := v.login(t, map[string]any{"token_ttl": "3s", "token_max_ttl": "5s"})
	o.Address = p.URL
	c := connect(t, o)
	require.NoError(t, c.Start(t.Context()))
	require.Error(t, c.Start(t.Context()), "once is enough")
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return renewals >= 1 && logins >= 2
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, c.Stop(t.Context()))
	require.NoError(t, c.Stop(t.Context()))
}

func TestKubernetesLogin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	var bodies []string
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/auth/cluster/login":
			var body map[string]string
			_ = json.NewDecoder(r.Body).Decode(&body)
			bodies = append(bodies, body["role"]+" "+body["jwt"])
			_, _ = fmt.Fprintf(w, `{"auth":{"client_token":"t%d","lease_duration":3600,"renewable":true}}`, len(bodies))
		case r.Header.Get("X-Vault-Token") != "t2":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["permission denied"]}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"errors":[]}`))
		}
	}))
	defer node.Close()
	o := vault.Options{Address: node.URL, Kubernetes: &vault.Kubernetes{Role: "runner", JWTFile: file, Mount: "cluster"}}
	s := newStep(kind(t, connect(t, o), vault.PolicyName), `{"name":"a","rules":""}`)
	_, err := s.Observe(t.Context(), s.Request)
	requireFault(t, err, vault.LoginFailed, fault.GiveUp, "service account")
	require.NoError(t, os.WriteFile(file, []byte("jwt\n"), 0o600))
	require.Equal(t, event.Absent, s.look(t))
	require.Equal(t, []string{"runner jwt", "runner jwt"}, bodies, "the first token was no good")
}

func TestBadOptions(t *testing.T) {
	for _, o := range []vault.Options{
		{}, {Address: "127.0.0.1:8200", Token: "t"}, {Address: "http://v"}, {Address: "http://v", Token: "t", AppRole: &vault.AppRole{}},
		{Address: "https://v", Token: "t", CAFile: filepath.Join(t.TempDir(), "none")},
	} {
		require.Error(t, vault.Connect(o).Start(t.Context()))
		s := newStep(vault.New(o)[0], `{"path":"a"}`)
		_, err := s.Apply(t.Context(), s.Request)
		requireFault(t, err, fault.Invalid, fault.GiveUp, "settings of Vault")
	}
}
