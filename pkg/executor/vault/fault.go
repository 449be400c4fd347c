package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Codes of this package.
const (
	// LoginFailed: Vault accepts neither the runner's token nor its login.
	LoginFailed fault.Code = "login-failed"
)

const statusForbidden = http.StatusForbidden

// status is the HTTP status of an answer that was an error, 0 for anything else.
func status(err error) int {
	var r *api.ResponseError
	if errors.As(err, &r) {
		return r.StatusCode
	}
	return 0
}

// clientError tells whether Vault took the request and says that it is wrong.
func clientError(err error) bool {
	s := status(err)
	return s >= 400 && s < 500 && s != http.StatusTooManyRequests && s != http.StatusPreconditionFailed
}

// explain makes a fault of what a call came to.
func (c *Client) explain(ctx context.Context, op operation, err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case errors.As(err, &known):
		return known
	}
	code := status(err)
	switch {
	case code == 0:
		return c.unreachable(err)
	case code == statusForbidden:
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied,
			"%s denies %s: the policies of the token in use have to give it the capability %q on %q", c.target(), op.what, op.need, op.path)
	case code == http.StatusNotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound,
			"%s knows nothing at %q (%s): enable the secrets engine or authentication method there, and create the role that is named%s",
			c.target(), op.path, op.what, answered(err))
	case code == http.StatusTooManyRequests:
		return fault.Wrap(err, fault.Retry, fault.Busy, "%s takes no more requests for now (%s): a rate limit quota holds", c.target(), op.what)
	case code >= http.StatusInternalServerError, code == http.StatusPreconditionFailed:
		return c.unwell(ctx, op, err)
	default:
		return fault.Wrap(err, fault.GiveUp, fault.Invalid, "%s refuses %s at %q%s", c.target(), op.what, op.path, answered(err))
	}
}

// answered is what Vault said, to be appended to a sentence.
func answered(err error) string {
	var r *api.ResponseError
	if !errors.As(err, &r) || r.RawError || len(r.Errors) == 0 {
		return ""
	}
	const enough = 500
	text := strings.Join(strings.Fields(strings.Join(r.Errors, "; ")), " ")
	return ": " + strings.ToValidUTF8(text[:min(len(text), enough)], "")
}

func (c *Client) unreachable(err error) error {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return fault.Wrap(err, fault.Wait, fault.Unavailable,
			"%s shows a certificate that the runner can't verify: give the runner the certificates of the authority that issued it", c.target())
	}
	return fault.Wrap(err, fault.Wait, fault.Unavailable,
		"%s does not answer: see that it runs and can be reached from the runner", c.target())
}

// unwell asks Vault, which answered with an error of its own, how it is.
func (c *Client) unwell(ctx context.Context, op operation, cause error) error {
	h, err := c.api.Sys().HealthWithContext(ctx)
	switch {
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case err != nil:
		return c.unreachable(errors.Join(cause, err))
	case !h.Initialized:
		return fault.Wrap(cause, fault.Wait, fault.Unavailable, "%s is not initialised: initialise and unseal it", c.target())
	case h.Sealed:
		return fault.Wrap(cause, fault.Wait, fault.Unavailable, "%s is sealed: unseal it", c.target())
	case h.Standby && !h.PerformanceStandby:
		return fault.Wrap(cause, fault.Wait, fault.Unavailable, "%s is a standby that finds no active node: see to the nodes of its cluster", c.target())
	case status(cause) == http.StatusInternalServerError:
		return fault.Wrap(cause, fault.Retry, fault.ExecutorFailed, "%s failed at %s at %q; its log has the details%s", c.target(), op.what, op.path, answered(cause))
	default:
		return fault.Wrap(cause, fault.Wait, fault.Unavailable, "%s could not serve %s for now", c.target(), op.what)
	}
}
