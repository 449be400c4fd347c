package consul

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// untrusted says what is wrong between the TLS of both sides, so that a person can mend it; nil where it is something else. A certificate
// that has expired is the agent's to renew: until then, it is as if it did not answer.
func (c *Client) untrusted(err error) error {
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "Consul at %s shows a certificate that is not good now: it has expired, or the clocks differ", c.shown)
	}
	if unknown := (&tls.CertificateVerificationError{}); errors.As(err, &unknown) {
		return fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"Consul at %s shows a certificate that can't be verified: say which authority has issued it (consul.ca_file), and see that it is for that address, or say for which name (consul.server_name)", c.shown)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fault.Wrap(err, fault.GiveUp, fault.Invalid, "Consul at %s has no TLS on that port: its address begins with http://", c.shown)
	}
	if refused := (&net.OpError{}); errors.As(err, &refused) && refused.Op == "remote error" { // an alert of TLS
		return fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"Consul at %s refuses TLS with this process: give it a certificate of an authority that it knows (consul.cert_file, consul.key_file)", c.shown)
	}
	return nil
}
