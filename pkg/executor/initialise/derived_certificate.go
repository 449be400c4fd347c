package initialise

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// DerivedCertificateName is the name of the kind that issues a certificate for a server which has to be there before any authority is, as Vault's own
// listener. Its authority's key is worked out from the cluster's key, the environment and the step whenever something is to be signed, so it is kept nowhere.
const DerivedCertificateName = "derived_certificate"

// authorityLife is that of the authority's certificate, and of what it has issued.
const authorityLife = 10 * 365 * 24 * time.Hour

type derivedCertificateBlock struct {
	// Authority is what the authority is called.
	Authority  string   `json:"authority"`
	CommonName string   `json:"common_name"`
	Names      []string `json:"names"`
	Addresses  []string `json:"addresses"`
}

func derivedCertificateKind() template.Kind {
	list := func(name string) hcldec.Spec { return &hcldec.AttrSpec{Name: name, Type: cty.List(cty.String)} }
	return kindOf(DerivedCertificateName, hcldec.ObjectSpec{
		"authority": required("authority"), "common_name": required("common_name"), "names": list("names"), "addresses": list("addresses"),
	}, issuedOutputs())
}

// derivedCertificate issues where nothing is issued yet, or what is no longer does.
type derivedCertificate struct {
	r   executor.Request
	b   derivedCertificateBlock
	key *ecdsa.PrivateKey // of the authority
}

func beginDerivedCertificate(o Options, r executor.Request) (work, error) {
	w := &derivedCertificate{r: r}
	if err := read(r, DerivedCertificateName, &w.b); err != nil {
		return nil, err
	}
	if err := need(r, "authority", w.b.Authority, "common_name", w.b.CommonName); err != nil {
		return nil, err
	}
	if err := addresses(r, w.b.Addresses); err != nil {
		return nil, err
	}
	box := o.Key()
	if box == nil {
		return nil, fault.New(fault.Retry, fault.SecretUnavailable, "the runner has no key of its cluster yet; it gets one from the server that welcomes it")
	}
	var err error
	if w.key, err = authorityKey(box.MAC(DerivedCertificateName, fmt.Appendf(nil, "%s\x00%s", r.Environment, r.Step))); err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "the authority of %s can't be worked out", r.Step)
	}
	return w, nil
}

// authorityKey is the same for the same seed. Not every number is a key: the next one is taken then.
func authorityKey(seed []byte) (key *ecdsa.PrivateKey, err error) {
	for i := range 8 {
		number, failed := hkdf.Expand(sha256.New, seed, fmt.Sprint("P-256 ", i), sha256.Size)
		if failed != nil {
			return nil, failed
		}
		if key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), number); err == nil {
			return key, nil
		}
	}
	return nil, err
}

// held is nil where nothing was issued, or what was can't be read.
func (w *derivedCertificate) held() *issuedPair { return heldPair(w.r) }

func (w *derivedCertificate) look(context.Context) (f found, err error) {
	p := w.held()
	if p == nil {
		f.differences = append(f.differences, missing(w.r, "certificate"))
		return f, nil
	}
	f.present, f.unsure = true, true // what is nowhere but in the outputs can't be seen
	if d := p.differences(w.r, certificateBlock{CommonName: w.b.CommonName, Names: w.b.Names, Addresses: w.b.Addresses}); len(d) > 0 {
		f.differences = d
	} else if w.authority(p) == nil || p.leaf.CheckSignatureFrom(w.authority(p)) != nil {
		f.differences = []event.Difference{other(w.r, "ca")}
	}
	return f, nil
}

// authority is the certificate of the authority that was put out before; nil where there is none, or it is another's or comes to its end: who trusts it
// goes on with that.
func (w *derivedCertificate) authority(p *issuedPair) *x509.Certificate {
	if p == nil {
		return nil
	}
	block, _ := pem.Decode([]byte(p.CA))
	if block == nil {
		return nil
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !w.key.PublicKey.Equal(ca.PublicKey) || ca.Subject.CommonName != w.b.Authority || !time.Now().Before((&issuedPair{leaf: ca}).renewAt()) {
		return nil
	}
	return ca
}

func (w *derivedCertificate) apply(ctx context.Context) (executor.Outputs, error) {
	f, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	p := w.held()
	if len(f.differences) > 0 {
		if p, err = w.issue(w.authority(p)); err != nil {
			return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "the certificate of %s can't be made", w.r.Step)
		}
		w.r.Log("out", "a certificate is issued until "+p.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return p.outputs(w.r)
}

// issue makes a certificate with a new key, and the authority's where there is none to go on with.
func (w *derivedCertificate) issue(ca *x509.Certificate) (p *issuedPair, err error) {
	begins := time.Now().Add(-time.Hour) // for clocks that are behind
	if ca == nil {
		like := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: w.b.Authority}, NotBefore: begins, NotAfter: begins.Add(authorityLife),
			IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
		if ca, err = signed(like, like, &w.key.PublicKey, w.key); err != nil {
			return nil, err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	like := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: w.b.CommonName}, NotBefore: begins, NotAfter: ca.NotAfter,
		DNSNames: append([]string{w.b.CommonName}, w.b.Names...), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, a := range w.b.Addresses {
		like.IPAddresses = append(like.IPAddresses, net.ParseIP(a))
	}
	leaf, err := signed(like, ca, &key.PublicKey, w.key)
	if err != nil {
		return nil, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	p = &issuedPair{CA: inPEM("CERTIFICATE", ca.Raw), Key: inPEM("PRIVATE KEY", text), Serial: fmt.Sprintf("%x", leaf.SerialNumber)}
	p.Certificate = inPEM("CERTIFICATE", leaf.Raw) + p.CA
	return p, p.parse()
}

func signed(like, by *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, like, by, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func serial() *big.Int {
	number := make([]byte, 16)
	_, _ = rand.Read(number) // never fails
	number[0] &= 0x7f
	return new(big.Int).SetBytes(number)
}

func inPEM(what string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: what, Bytes: der}))
}

// remove has nothing to take away: what was issued is nowhere but in the step's outputs.
func (*derivedCertificate) remove(context.Context) error { return nil }

// outputs of a step that has a certificate.
func (p *issuedPair) outputs(r executor.Request) (executor.Outputs, error) {
	out := values(r, map[string]string{
		"certificate": p.Certificate, "ca": p.CA, "serial": p.Serial,
		"expires_at": p.leaf.NotAfter.UTC().Format(time.RFC3339), "renew_at": p.renewAt().UTC().Format(time.RFC3339),
	})
	key, err := json.Marshal(p.Key)
	out["private_key"] = executor.Value{Value: key, Sensitive: true}
	return out, err
}
