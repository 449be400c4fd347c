package vault

import (
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// PKIName is the name of the kind that keeps a certificate from a PKI engine.
const PKIName = "vault_pki"

type pkiBlock struct {
	Mount       string   `json:"mount"`
	Role        string   `json:"role"`
	CommonName  string   `json:"common_name"`
	AltNames    []string `json:"alt_names"`
	IPAddresses []string `json:"ip_addresses"`
	TTL         string   `json:"ttl"`
	// RenewBefore is how long before its end a certificate is replaced; a third of its life unless given.
	RenewBefore string `json:"renew_before"`
	storeBlock

	place place
	ttl   int64 // seconds, 0 for what the role says
	// renew is in seconds, and less than 0 for a third of the life.
	renew int64
}

// Kind is a block with what the certificate says and the place where it is kept with its key.
func (*pkiExecutor) Kind() template.Kind {
	return template.Kind{
		Name:       PKIName,
		Idempotent: true,
		Retry:      retries, Timeout: 5 * time.Minute,
		Spec: storeSpec(hcldec.ObjectSpec{
			"mount": text("mount", false), "role": text("role", true), "common_name": text("common_name", true),
			"alt_names": texts("alt_names"), "ip_addresses": texts("ip_addresses"),
			"ttl": duration("ttl"), "renew_before": duration("renew_before"),
		}),
		Outputs: storeOutputs(map[string]template.Output{
			"certificate": {Type: cty.String, Description: "The certificate, PEM."},
			"ca_chain":    {Type: cty.List(cty.String), Description: "The certificates of the authorities, PEM, the issuer first."},
			"serial":      {Type: cty.String, Description: "The serial number, as Vault writes it."},
			"expires_at":  {Type: cty.String, Description: "When the certificate ends, RFC 3339."},
			"renew_at":    {Type: cty.String, Description: "From when on an apply replaces the certificate, RFC 3339."},
			"private_key": {Type: cty.String, Sensitive: true, Description: "The key of the certificate, PEM."},
		}),
	}
}

func decodePKI(r executor.Request) (b pkiBlock, err error) {
	if err = decode(r, PKIName, &b); err != nil {
		return b, err
	}
	if b.Mount, err = cleanPath(r, "mount", orElse(b.Mount, "pki")); err != nil {
		return b, err
	}
	if b.Role, err = cleanName(r, "role", b.Role); err != nil {
		return b, err
	}
	if b.place, err = b.storeBlock.place(r); err != nil {
		return b, err
	}
	if b.ttl, err = seconds(b.TTL); err != nil {
		return b, invalid(r, "ttl: %s; see the block", err)
	}
	if b.renew, err = seconds(b.RenewBefore); err != nil {
		return b, invalid(r, "renew_before: %s; see the block", err)
	}
	if b.RenewBefore == "" {
		b.renew = -1
	}
	if b.ttl > 0 && b.renew >= b.ttl {
		return b, invalid(r, "renew_before (%s) has to be shorter than ttl (%s), or every apply would renew; see the block", b.RenewBefore, b.TTL)
	}
	return b, nil
}

// request is the body of the issue call.
func (b pkiBlock) request() map[string]any {
	body := map[string]any{
		"common_name": b.CommonName, "alt_names": strings.Join(b.AltNames, ","), "ip_sans": strings.Join(b.IPAddresses, ","),
		"format": "pem", "private_key_format": "pkcs8",
	}
	if b.ttl > 0 {
		body["ttl"] = strconv.FormatInt(b.ttl, 10) + "s"
	}
	return body
}

// fingerprint changes with everything that another certificate is needed for.
func (b pkiBlock) fingerprint() string {
	return fingerprint(b.Mount, b.Role, b.CommonName, strings.Join(sorted(b.AltNames), ","),
		strings.Join(sorted(b.IPAddresses), ","), strconv.FormatInt(b.ttl, 10))
}

// notes are what the store says of the certificate.
func (b pkiBlock) notes() map[string]string {
	return map[string]string{requestNote: b.fingerprint(), mountNote: b.Mount}
}

// renewAt is when a certificate of this life is replaced.
func (b pkiBlock) renewAt(begins, ends time.Time) time.Time {
	if b.renew < 0 {
		return ends.Add(-ends.Sub(begins) / 3)
	}
	return ends.Add(-time.Duration(b.renew) * time.Second)
}
