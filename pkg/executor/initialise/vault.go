package initialise

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/vault/api"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// VaultName is the name of the kind that makes a Vault ready: initialised and unsealed, with a KV engine, an authority
// for certificates where one is wanted, and a role that logs in.
const VaultName = "vault_cluster"

type vaultBlock struct {
	Address string `json:"address"`
	// CA is what a certificate of Vault's listener is checked with, in PEM.
	CA string `json:"ca"`
	// Nodes are the URLs of a cluster's nodes, each by itself: the first is initialised, the others join it, and each is unsealed. None: it is one alone, at Address.
	Nodes     []string `json:"nodes"`
	Shares    int      `json:"shares"`
	Threshold int      `json:"threshold"`
	KV        string   `json:"kv"`
	Role      string   `json:"role"`
	RoleID    string   `json:"role_id"`
	SecretID  string   `json:"secret_id"`
	Policy    string   `json:"policy"`
	PKI       *pki     `json:"pki"`
}

// pki is an authority of Vault's own, for certificates between services.
type pki struct {
	Mount      string   `json:"mount"`
	CommonName string   `json:"common_name"`
	Domains    []string `json:"domains"`
}

func vaultKind() template.Kind {
	return kindOf(VaultName, hcldec.ObjectSpec{
		"address": required("address"), "ca": optional("ca"), "kv": optional("kv"), "role": required("role"), "role_id": required("role_id"),
		"secret_id": required("secret_id"), "policy": required("policy"),
		"nodes":     &hcldec.AttrSpec{Name: "nodes", Type: cty.List(cty.String)},
		"shares":    &hcldec.AttrSpec{Name: "shares", Type: cty.Number},
		"threshold": &hcldec.AttrSpec{Name: "threshold", Type: cty.Number},
		"pki": &hcldec.BlockSpec{TypeName: "pki", Nested: hcldec.ObjectSpec{
			"mount": optional("mount"), "common_name": required("common_name"),
			"domains": &hcldec.AttrSpec{Name: "domains", Type: cty.List(cty.String), Required: true},
		}},
	}, map[string]template.Output{
		"address": shown("The URL of Vault."),
		"kv":      shown("Where the KV engine (version 2) is."),
		"role":    shown("The role of the AppRole method."),
		"pki":     shown("Where the authority for certificates is, or nothing."),
	})
}

func (b vaultBlock) withDefaults() vaultBlock {
	if b.Shares == 0 {
		b.Shares = 1
	}
	if b.Threshold == 0 {
		b.Threshold = b.Shares/2 + 1
	}
	if b.KV == "" {
		b.KV = "secret"
	}
	if b.PKI != nil && b.PKI.Mount == "" {
		b.PKI.Mount = "pki"
	}
	return b
}

type vaultWork struct {
	o     Options
	r     executor.Request
	b     vaultBlock
	vault *api.Client
	whose string // the address that keys are known by, where that is another than the block's
}

func beginVault(o Options, r executor.Request) (work, error) {
	w := &vaultWork{o: o, r: r}
	if err := read(r, VaultName, &w.b); err != nil {
		return nil, err
	}
	w.b = w.b.withDefaults()
	b := w.b
	if err := need(r, "address", b.Address, "role", b.Role, "role_id", b.RoleID, "secret_id", b.SecretID); err != nil {
		return nil, err
	}
	if b.Shares < 1 || b.Shares > 20 || b.Threshold < 1 || b.Threshold > b.Shares || b.Shares > 1 && b.Threshold == 1 {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "shares of %s has to be from 1 to 20, and threshold at most that, and 2 at least where there are several", r.Step)
	}
	return w, w.connect()
}

func (w *vaultWork) connect() error {
	o, err := w.o.trusting(w.r, w.b.CA)
	if err != nil {
		return err
	}
	w.vault, err = api.NewClient(&api.Config{Address: w.b.Address, Timeout: o.Timeout, HttpClient: caller(o)})
	if err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Invalid, "address of %s is no URL of a Vault, such as http://127.0.0.1:8200", w.r.Step)
	}
	w.vault.ClearToken() // the client takes one of the process's variables
	w.vault.ClearNamespace()
	return nil
}

func (w *vaultWork) apply(ctx context.Context) (executor.Outputs, error) {
	for _, step := range []func(context.Context) error{w.open, w.login, w.mounts, w.grant} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	mount := ""
	if w.b.PKI != nil {
		mount = w.b.PKI.Mount
	}
	return values(w.r, map[string]string{"address": w.b.Address, "kv": w.b.KV, "role": w.b.Role, "pki": mount}), nil
}

func (w *vaultWork) mounts(ctx context.Context) error {
	f, err := w.missingMounts(ctx)
	if err != nil {
		return err
	}
	for _, m := range f {
		if err := w.write(ctx, m.path, m.body, "enabling "+m.path); err != nil {
			return err
		}
		w.r.Log("out", m.path+" is enabled")
	}
	if err := w.awaitKV(ctx); err != nil {
		return err
	}
	return w.authority(ctx)
}

type mount struct {
	path string
	body map[string]any
}

// missingMounts are those that are not there; one of another type in its place is refused.
func (w *vaultWork) missingMounts(ctx context.Context) (list []mount, err error) {
	type wish struct{ at, path, kind string }
	wishes := []wish{{"sys/mounts", w.b.KV, "kv"}, {"sys/auth", "approle", "approle"}}
	if w.b.PKI != nil {
		wishes = append(wishes, wish{"sys/mounts", w.b.PKI.Mount, "pki"})
	}
	for _, m := range wishes {
		there, err := w.get(ctx, m.at, "listing engines")
		if err != nil {
			return nil, err
		}
		found, _ := there[m.path+"/"].(map[string]any)
		if kind, _ := found["type"].(string); found != nil && kind == m.kind {
			continue
		} else if found != nil {
			return nil, fault.New(fault.GiveUp, fault.Exists, "Vault at %s has an engine %q of type %q, and %q was expected", w.b.Address, m.path, kind, m.kind)
		}
		body := map[string]any{"type": m.kind, "description": mark(w.r)}
		if m.kind == "kv" {
			body["options"] = map[string]string{"version": "2"}
		}
		list = append(list, mount{m.at + "/" + m.path, body})
	}
	return list, nil
}

// authority makes the certificate of the authority, and the role that certificates are asked of.
func (w *vaultWork) authority(ctx context.Context) error {
	p := w.b.PKI
	if p == nil {
		return nil
	}
	issuers, err := w.vault.Logical().ListWithContext(ctx, p.Mount+"/issuers")
	if err != nil {
		return w.fault(ctx, err, "listing issuers")
	}
	if issuers == nil || len(issuers.Data) == 0 {
		body := map[string]any{"common_name": p.CommonName, "ttl": "87600h", "key_type": "ec", "key_bits": 256}
		if err := w.write(ctx, "sys/mounts/"+p.Mount+"/tune", map[string]any{"max_lease_ttl": "87600h"}, "tuning the authority"); err != nil {
			return err
		}
		if err := w.write(ctx, p.Mount+"/root/generate/internal", body, "making the authority's certificate"); err != nil {
			return err
		}
		w.r.Log("out", "the authority "+p.CommonName+" is made")
	}
	return w.write(ctx, p.Mount+"/roles/"+w.b.Role, map[string]any{
		"allowed_domains": p.Domains, "allow_subdomains": true, "allow_bare_domains": true, "allow_localhost": true, "allow_ip_sans": true,
		"key_type": "ec", "key_bits": 256, "max_ttl": "8760h",
	}, "making the role for certificates")
}

func (w *vaultWork) policyText() string { return "# " + mark(w.r) + "\n" + w.b.Policy }

// grant makes policy, role and secret id. Those ids are known beforehand, so that no attempt can lose them.
func (w *vaultWork) grant(ctx context.Context) error {
	there, err := w.policy(ctx)
	if err != nil {
		return err
	}
	if there != w.policyText() {
		if err := w.write(ctx, "sys/policies/acl/"+w.b.Role, map[string]any{"policy": w.policyText()}, "writing the policy"); err != nil {
			return err
		}
		w.r.Log("out", "policy "+w.b.Role+" is written")
	}
	if w.canLogIn(ctx) == nil {
		return nil
	}
	role := "auth/approle/role/" + w.b.Role
	settings := map[string]any{"token_policies": w.b.Role, "token_period": "24h", "token_no_default_policy": false}
	if err := w.write(ctx, role, settings, "making the role"); err != nil {
		return err
	}
	if err := w.write(ctx, role+"/role-id", map[string]any{"role_id": w.b.RoleID}, "giving the role its id"); err != nil {
		return err
	}
	// A secret id that is there already, of an attempt that was cut off, is an error to Vault and none to us.
	err = w.write(ctx, role+"/custom-secret-id", map[string]any{"secret_id": w.b.SecretID}, "giving the role its secret id")
	if refused := w.canLogIn(ctx); refused != nil {
		return errors.Join(err, refused)
	}
	w.r.Log("out", "role "+w.b.Role+" is made")
	return nil
}

// policy is the text of ours, "" where there is none.
func (w *vaultWork) policy(ctx context.Context) (string, error) {
	there, err := w.get(ctx, "sys/policies/acl/"+w.b.Role, "reading the policy")
	if err != nil || there == nil {
		return "", err
	}
	text, _ := there["policy"].(string)
	if !strings.HasPrefix(text, "# "+mark(w.r)+"\n") {
		return "", fault.New(fault.GiveUp, fault.Exists, "Vault at %s has a policy %q, which is not this step's: choose another role", w.b.Address, w.b.Role)
	}
	return text, nil
}

// canLogIn tries the role's ids.
func (w *vaultWork) canLogIn(ctx context.Context) error {
	if _, err := w.byRole(ctx); err != nil {
		return w.fault(ctx, err, "the login of the role")
	}
	return nil
}

func (w *vaultWork) byRole(ctx context.Context) (*api.Secret, error) {
	return w.vault.Logical().WriteWithContext(ctx, "auth/approle/login", map[string]any{"role_id": w.b.RoleID, "secret_id": w.b.SecretID})
}

func (w *vaultWork) look(ctx context.Context) (f found, err error) {
	h, err := w.gather(ctx)
	switch {
	case err != nil:
		return f, err
	case !h.Initialized:
		f.differences = append(f.differences, missing(w.r, "initialised"))
		return f, nil
	case h.Sealed && w.r.Outputs == nil:
		f.differences = append(f.differences, other(w.r, "sealed"))
		f.unsure = true
		return f, nil
	case h.Sealed:
		f.present, f.differences = true, append(f.differences, other(w.r, "sealed"))
		return f, nil
	}
	if err := w.login(ctx); err != nil {
		return f, err
	}
	there, err := w.policy(ctx)
	switch f.present = there != ""; {
	case err != nil:
		return f, err
	case there == "":
		f.differences = append(f.differences, missing(w.r, "policy."+w.b.Role))
	case there != w.policyText():
		f.differences = append(f.differences, other(w.r, "policy."+w.b.Role))
	}
	gone, err := w.missingMounts(ctx)
	for _, m := range gone {
		f.differences = append(f.differences, missing(w.r, strings.TrimPrefix(m.path, "sys/")))
	}
	if w.canLogIn(ctx) != nil {
		f.differences = append(f.differences, missing(w.r, "role."+w.b.Role))
	}
	return f, err
}

// remove takes away the role; engines stay, since secrets of others may lie in them, until the storage goes.
func (w *vaultWork) remove(ctx context.Context) error {
	h, err := w.gather(ctx)
	if err != nil || !h.Initialized {
		return err
	}
	if h.Sealed {
		return fault.New(fault.GiveUp, fault.SecretUnavailable, "Vault at %s is sealed", w.b.Address)
	}
	if err := w.login(ctx); err != nil {
		return err
	}
	return w.revoke(ctx)
}

// revoke takes away what grant has made.
func (w *vaultWork) revoke(ctx context.Context) error {
	there, err := w.policy(ctx)
	if err != nil || there == "" {
		return err
	}
	for _, path := range []string{"auth/approle/role/" + w.b.Role, "sys/policies/acl/" + w.b.Role} {
		if _, err := w.vault.Logical().DeleteWithContext(ctx, path); err != nil {
			return w.fault(ctx, err, "removing the role")
		}
	}
	return nil
}

func (w *vaultWork) write(ctx context.Context, path string, body map[string]any, what string) error {
	if _, err := w.vault.Logical().WriteWithContext(ctx, path, body); err != nil {
		return w.fault(ctx, err, what)
	}
	return nil
}

// get is nil where there is nothing.
func (w *vaultWork) get(ctx context.Context, path, what string) (map[string]any, error) {
	secret, err := w.vault.Logical().ReadWithContext(ctx, path)
	switch {
	case err != nil:
		return nil, w.fault(ctx, err, what)
	case secret == nil:
		return nil, nil
	}
	return secret.Data, nil
}

func (w *vaultWork) fault(ctx context.Context, err error, what string) error {
	var answer *api.ResponseError
	switch {
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case !errors.As(err, &answer):
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Vault at %s does not answer: see that it runs and can be reached from the runner", w.b.Address)
	case answer.StatusCode == http.StatusForbidden:
		return fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable, "Vault at %s denies %s: the token may not do it, or is none any more", w.b.Address, what)
	case answer.StatusCode >= http.StatusInternalServerError:
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "Vault at %s is not ready (%s)", w.b.Address, what)
	}
	return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "Vault at %s refuses %s", w.b.Address, what)
}
