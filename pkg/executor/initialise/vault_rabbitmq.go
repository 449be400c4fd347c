package initialise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// VaultRabbitName is the name of the kind that has Vault issue credentials of a RabbitMQ: its secrets engine with a role, and a login
// that may have these credentials and nothing else.
const VaultRabbitName = "vault_rabbitmq"

type issuerBlock struct {
	// Address is Vault's URL, whose certificate is checked with CA; RoleID and SecretID log in where its root token is not known.
	Address  string `json:"address"`
	CA       string `json:"ca"`
	RoleID   string `json:"role_id"`
	SecretID string `json:"secret_id"`
	// Broker is the URL of the management plugin, for Vault; Administrator may make users there.
	Broker        string `json:"broker"`
	Administrator string `json:"administrator"`
	Password      string `json:"password"`
	Mount         string `json:"mount"`
	// Role is what credentials are asked of, with all rights in the virtual host.
	Role   string       `json:"role"`
	Host   string       `json:"virtual_host"`
	Tags   string       `json:"tags"`
	TTL    string       `json:"ttl"`
	MaxTTL string       `json:"max_ttl"`
	Login  *issuerLogin `json:"login"`
}

// issuerLogin is a role of the AppRole method.
type issuerLogin struct {
	Name     string `json:"name"`
	RoleID   string `json:"role_id"`
	SecretID string `json:"secret_id"`
}

func issuerKind() template.Kind {
	return kindOf(VaultRabbitName, hcldec.ObjectSpec{
		"address": required("address"), "ca": optional("ca"), "role_id": required("role_id"), "secret_id": required("secret_id"),
		"broker": required("broker"), "administrator": required("administrator"), "password": required("password"),
		"mount": optional("mount"), "role": required("role"), "virtual_host": required("virtual_host"), "tags": optional("tags"),
		"ttl": optional("ttl"), "max_ttl": optional("max_ttl"),
		"login": &hcldec.BlockSpec{TypeName: "login", Nested: hcldec.ObjectSpec{
			"name": required("name"), "role_id": required("role_id"), "secret_id": required("secret_id"),
		}},
	}, map[string]template.Output{
		"address": shown("The URL of Vault."),
		"mount":   shown("Where the engine is."),
		"path":    shown("What issues credentials, such as rabbitmq/creds/vivarium."),
	})
}

func (b issuerBlock) withDefaults() issuerBlock {
	for field, value := range map[*string]string{&b.Mount: "rabbitmq", &b.TTL: "1h", &b.MaxTTL: "24h"} {
		if *field == "" {
			*field = value
		}
	}
	b.Mount = strings.Trim(b.Mount, "/")
	return b
}

type issuerWork struct {
	*vaultWork
	b        issuerBlock
	ttl, max int // seconds
}

func beginIssuer(o Options, r executor.Request) (work, error) {
	w := &issuerWork{}
	if err := read(r, VaultRabbitName, &w.b); err != nil {
		return nil, err
	}
	w.b = w.b.withDefaults()
	b := w.b
	if err := need(r, "address", b.Address, "role_id", b.RoleID, "secret_id", b.SecretID, "broker", b.Broker, "administrator", b.Administrator,
		"password", b.Password, "role", b.Role, "virtual_host", b.Host); err != nil {
		return nil, err
	}
	if l := b.Login; l != nil {
		if err := need(r, "login.name", l.Name, "login.role_id", l.RoleID, "login.secret_id", l.SecretID); err != nil {
			return nil, err
		}
	}
	ttl, err := time.ParseDuration(b.TTL)
	longest, err2 := time.ParseDuration(b.MaxTTL)
	if err != nil || err2 != nil || ttl < time.Second || longest < ttl {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "ttl and max_ttl of %s have to be times such as 1h and 24h, the second not shorter than the first, which is 1s at least", r.Step)
	}
	w.ttl, w.max = int(ttl/time.Second), int(longest/time.Second)
	w.vaultWork = &vaultWork{o: o, r: r, b: vaultBlock{Address: b.Address, CA: b.CA, RoleID: b.RoleID, SecretID: b.SecretID}}
	return w, w.connect()
}

// mounted tells whether the engine is there; somebody else's is refused.
func (w *issuerWork) mounted(ctx context.Context) (bool, error) {
	there, err := w.get(ctx, "sys/mounts", "listing engines")
	found, _ := there[w.b.Mount+"/"].(map[string]any)
	if err != nil || found == nil {
		return false, err
	}
	if found["type"] != "rabbitmq" || found["description"] != mark(w.r) {
		return false, fault.New(fault.GiveUp, fault.Exists, "Vault at %s has an engine %q, which is not this step's: choose another mount", w.b.Address, w.b.Mount)
	}
	return true, nil
}

func (w *issuerWork) apply(ctx context.Context) (executor.Outputs, error) {
	if err := w.enter(ctx); err != nil {
		return nil, err
	}
	there, err := w.mounted(ctx)
	if err != nil {
		return nil, err
	}
	var before found
	if !there {
		err = w.enable(ctx)
	} else {
		err = w.lookAtRole(ctx, &before)
	}
	if err != nil {
		return nil, err
	}
	if err := w.configure(ctx); err != nil {
		return nil, err
	}
	if !there || len(before.differences) > 0 {
		w.r.Log("out", w.r.Mask(w.creds()+" issues credentials"))
	}
	if g := w.grantee(); g != nil {
		if err := g.grant(ctx); err != nil {
			return nil, err
		}
	}
	return values(w.r, map[string]string{"address": w.b.Address, "mount": w.b.Mount, "path": w.creds()}), nil
}

func (w *issuerWork) creds() string { return w.b.Mount + "/creds/" + w.b.Role }

func (w *issuerWork) enable(ctx context.Context) error {
	path := "sys/mounts/" + w.b.Mount
	_, err := w.vault.Logical().WriteWithContext(ctx, path, map[string]any{"type": "rabbitmq", "description": mark(w.r)})
	var answer *api.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusBadRequest {
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "Vault at %s does not enable its secrets engine rabbitmq at %q: it may be built without it (minimal), "+
			"or the path is taken; use a whole Vault, or have nobody ask for its credentials (of environment zero: broker_credentials = \"key\")", w.b.Address, w.b.Mount)
	}
	if err != nil {
		return w.fault(ctx, err, "enabling "+path)
	}
	w.r.Log("out", path+" is enabled")
	return nil
}

// configure says who Vault is at the broker, and what it issues. The connection can't be read back, so it is written by every apply.
func (w *issuerWork) configure(ctx context.Context) error {
	for _, s := range []struct {
		path, what string
		body       map[string]any
	}{
		{"config/connection", "telling the engine where the broker is (does it answer Vault there, and is the password right?)",
			map[string]any{"connection_uri": w.b.Broker, "username": w.b.Administrator, "password": w.b.Password}},
		{"config/lease", "saying how long credentials live", map[string]any{"ttl": w.ttl, "max_ttl": w.max}},
		{"roles/" + w.b.Role, "making the role", map[string]any{"tags": w.b.Tags, "vhosts": w.rights()}},
	} {
		if err := w.write(ctx, w.b.Mount+"/"+s.path, s.body, s.what); err != nil {
			return err
		}
	}
	return nil
}

// right is what the engine keeps of a virtual host.
type right struct {
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

var everything = right{".*", ".*", ".*"}

func (w *issuerWork) rights() string {
	text, _ := json.Marshal(map[string]right{w.b.Host: everything}) // texts always have a JSON form
	return string(text)
}

// grantee is the login that may have credentials, as vault_cluster makes one; nil where none is wanted.
func (w *issuerWork) grantee() *vaultWork {
	l := w.b.Login
	if l == nil {
		return nil
	}
	g := *w.vaultWork
	policy := fmt.Sprintf("path %q { capabilities = [\"read\"] }\n", w.creds())
	g.b = vaultBlock{Address: w.b.Address, Role: l.Name, RoleID: l.RoleID, SecretID: l.SecretID, Policy: policy}
	return &g
}

func (w *issuerWork) look(ctx context.Context) (f found, err error) {
	if err := w.enter(ctx); err != nil {
		return f, err
	}
	if f.present, err = w.mounted(ctx); err != nil {
		return f, err
	}
	if !f.present {
		f.differences = append(f.differences, missing(w.r, "mounts/"+w.b.Mount))
		return f, nil
	}
	if err := w.lookAtRole(ctx, &f); err != nil || w.b.Login == nil {
		return f, err
	}
	g := w.grantee()
	there, err := g.policy(ctx)
	switch {
	case err != nil:
		return f, err
	case there == "":
		f.differences = append(f.differences, missing(w.r, "policy."+w.b.Login.Name))
	case there != g.policyText():
		f.differences = append(f.differences, other(w.r, "policy."+w.b.Login.Name))
	}
	if g.canLogIn(ctx) != nil {
		f.differences = append(f.differences, missing(w.r, "login."+w.b.Login.Name))
	}
	return f, nil
}

func (w *issuerWork) lookAtRole(ctx context.Context, f *found) error {
	role, err := w.get(ctx, w.b.Mount+"/roles/"+w.b.Role, "reading the role")
	if err != nil {
		return err
	}
	lease, err := w.get(ctx, w.b.Mount+"/config/lease", "reading how long credentials live")
	if err != nil {
		return err
	}
	rights, _ := json.Marshal(role["vhosts"]) // it was JSON
	var held map[string]right
	_ = json.Unmarshal(rights, &held) // what is something else is different
	switch {
	case role == nil:
		f.differences = append(f.differences, missing(w.r, "role."+w.b.Role))
	case role["tags"] != w.b.Tags || len(held) != 1 || held[w.b.Host] != everything:
		f.differences = append(f.differences, other(w.r, "role."+w.b.Role))
	}
	if fmt.Sprint(lease["ttl"]) != fmt.Sprint(w.ttl) || fmt.Sprint(lease["max_ttl"]) != fmt.Sprint(w.max) {
		f.differences = append(f.differences, other(w.r, "lease"))
	}
	return nil
}

// remove takes the engine away, and with it all that was issued.
func (w *issuerWork) remove(ctx context.Context) error {
	if err := w.enter(ctx); err != nil {
		return err
	}
	there, err := w.mounted(ctx)
	if err != nil {
		return err
	}
	if g := w.grantee(); g != nil {
		if err := g.revoke(ctx); err != nil {
			return err
		}
	}
	if !there {
		return nil
	}
	if _, err := w.vault.Logical().DeleteWithContext(ctx, "sys/mounts/"+w.b.Mount); err != nil {
		return w.fault(ctx, err, "disabling the engine")
	}
	return nil
}
