package initialise

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// VaultCertificateName is the name of the kind that has Vault's authority issue a certificate for one of the servers that Vivarium stands on.
// It keeps the key in its outputs, sealed, as derived_secret does; so whoever starts that server again needs no Vault.
const VaultCertificateName = "vault_certificate"

type certificateBlock struct {
	// Address is Vault's URL, whose certificate is checked with CA; RoleID and SecretID log in where its root token is not known.
	Address    string   `json:"address"`
	CA         string   `json:"ca"`
	RoleID     string   `json:"role_id"`
	SecretID   string   `json:"secret_id"`
	Mount      string   `json:"mount"`
	Role       string   `json:"role"`
	CommonName string   `json:"common_name"`
	Names      []string `json:"names"`
	Addresses  []string `json:"addresses"`
	TTL        string   `json:"ttl"`
}

func certificateKind() template.Kind {
	list := func(name string) hcldec.Spec { return &hcldec.AttrSpec{Name: name, Type: cty.List(cty.String)} }
	return kindOf(VaultCertificateName, hcldec.ObjectSpec{
		"address": required("address"), "ca": optional("ca"), "role_id": required("role_id"), "secret_id": required("secret_id"), "mount": optional("mount"),
		"role": required("role"), "common_name": required("common_name"), "names": list("names"), "addresses": list("addresses"), "ttl": optional("ttl"),
	}, issuedOutputs())
}

// issuedOutputs are those of a step that has a certificate.
func issuedOutputs() map[string]template.Output {
	return map[string]template.Output{
		"certificate": shown("The certificate and what signed it, in PEM."),
		"private_key": {Type: cty.String, Sensitive: true, Description: "Its key, in PEM."},
		"ca":          shown("The authority's certificate, in PEM, which clients trust."),
		"serial":      shown("The certificate's number at the authority."),
		"expires_at":  shown("When it ends."),
		"renew_at":    shown("When a look begins to say that it is to be renewed: a third of its life before its end."),
	}
}

type certificateWork struct {
	*vaultWork
	b certificateBlock
}

func beginCertificate(o Options, r executor.Request) (work, error) {
	w := &certificateWork{}
	if err := read(r, VaultCertificateName, &w.b); err != nil {
		return nil, err
	}
	b := &w.b
	if b.Mount == "" {
		b.Mount = "pki"
	}
	if b.TTL == "" {
		b.TTL = "720h"
	}
	if err := need(r, "address", b.Address, "role_id", b.RoleID, "secret_id", b.SecretID, "role", b.Role, "common_name", b.CommonName); err != nil {
		return nil, err
	}
	if err := addresses(r, b.Addresses); err != nil {
		return nil, err
	}
	w.vaultWork = &vaultWork{o: o, r: r, b: vaultBlock{Address: b.Address, CA: b.CA, RoleID: b.RoleID, SecretID: b.SecretID}}
	return w, w.connect()
}

func addresses(r executor.Request, list []string) error {
	for _, a := range list {
		if net.ParseIP(a) == nil {
			return fault.New(fault.GiveUp, fault.Invalid, "addresses of %s have to be IP addresses", r.Step)
		}
	}
	return nil
}

// issuedPair is what the step has put out.
type issuedPair struct {
	Certificate string `json:"certificate"`
	Key         string `json:"private_key"`
	CA          string `json:"ca"`
	Serial      string `json:"serial"`

	leaf *x509.Certificate
}

// held is nil where nothing was issued, or what was can't be read.
func (w *certificateWork) held() *issuedPair { return heldPair(w.r) }

func heldPair(r executor.Request) *issuedPair {
	var p issuedPair
	if json.Unmarshal(r.Outputs, &p) != nil || p.parse() != nil {
		return nil
	}
	return &p
}

// parse fails for a certificate that does not fit its key.
func (p *issuedPair) parse() error {
	pair, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key))
	if err == nil {
		p.leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	return err
}

func (p *issuedPair) renewAt() time.Time {
	return p.leaf.NotAfter.Add(-p.leaf.NotAfter.Sub(p.leaf.NotBefore) / 3)
}

// fits tells whether it is for what the block names.
func (p *issuedPair) fits(b certificateBlock) bool {
	var addresses []string
	for _, a := range p.leaf.IPAddresses {
		addresses = append(addresses, a.String())
	}
	names := append([]string{b.CommonName}, b.Names...)
	return p.leaf.Subject.CommonName == b.CommonName && sameSet(p.leaf.DNSNames, names) && sameSet(addresses, b.Addresses)
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// state says what is to be done about a certificate: nothing where there are no differences. It is not present when Vault has revoked it, or does not have it.
func (w *certificateWork) state(ctx context.Context, p *issuedPair) (f found, err error) {
	if p == nil {
		f.differences = append(f.differences, missing(w.r, "certificate"))
		return f, nil
	}
	there, err := w.get(ctx, w.b.Mount+"/cert/"+p.Serial, "looking up the certificate")
	if err != nil {
		return f, err
	}
	if there == nil || fmt.Sprint(there["revocation_time"]) != "0" {
		f.differences = append(f.differences, missing(w.r, "certificate"))
		return f, nil
	}
	f.present = true
	f.differences = p.differences(w.r, w.b)
	return f, nil
}

// differences are why another one is to be issued, nil where this one does.
func (p *issuedPair) differences(r executor.Request, b certificateBlock) []event.Difference {
	switch now := time.Now(); {
	case !now.Before(p.renewAt()):
		return []event.Difference{{Path: "certificate", Change: event.ChangeUpdate, After: "renewed, since it ends at " + p.leaf.NotAfter.UTC().Format(time.RFC3339)}}
	case !p.fits(b):
		return []event.Difference{other(r, "certificate")}
	}
	return nil
}

func (w *certificateWork) look(ctx context.Context) (f found, err error) {
	if err := w.enter(ctx); err != nil {
		return f, err
	}
	return w.state(ctx, w.held())
}

func (w *certificateWork) apply(ctx context.Context) (executor.Outputs, error) {
	if err := w.enter(ctx); err != nil {
		return nil, err
	}
	p := w.held()
	f, err := w.state(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(f.differences) > 0 {
		if p, err = w.issue(ctx); err != nil {
			return nil, err
		}
	}
	return p.outputs(w.r)
}

// issue gets a certificate with its key, which Vault gives out only this once. One whose answer is lost is nobody's, and ends.
func (w *certificateWork) issue(ctx context.Context) (*issuedPair, error) {
	path := w.b.Mount + "/issue/" + w.b.Role
	answer, err := w.vault.Logical().WriteWithContext(ctx, path, map[string]any{
		"common_name": w.b.CommonName, "alt_names": strings.Join(w.b.Names, ","), "ip_sans": strings.Join(w.b.Addresses, ","), "ttl": w.b.TTL,
	})
	if err != nil {
		return nil, w.fault(ctx, err, "issuing a certificate at "+path+" (is the role there, and may it give out these names for so long?)")
	}
	p := &issuedPair{}
	if answer != nil {
		leaf, _ := answer.Data["certificate"].(string)
		p.CA, _ = answer.Data["issuing_ca"].(string)
		p.Key, _ = answer.Data["private_key"].(string)
		p.Serial, _ = answer.Data["serial_number"].(string)
		p.Certificate = leaf + "\n" + p.CA
	}
	if p.parse() != nil {
		return nil, fault.New(fault.GiveUp, fault.ExecutorFailed, "Vault at %s issued at %q what is no certificate with its key: there has to be a PKI engine with that role", w.b.Address, path)
	}
	w.r.Log("out", "the certificate "+p.Serial+" is issued until "+p.leaf.NotAfter.UTC().Format(time.RFC3339))
	return p, nil
}

// remove revokes the certificate.
func (w *certificateWork) remove(ctx context.Context) error {
	p := w.held()
	if p == nil {
		return nil
	}
	if err := w.enter(ctx); err != nil {
		return err
	}
	f, err := w.state(ctx, p)
	if err != nil || !f.present {
		return err
	}
	return w.write(ctx, w.b.Mount+"/revoke", map[string]any{"serial_number": p.Serial}, "revoking the certificate")
}
