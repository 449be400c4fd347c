package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Codes of this executor's own.
const (
	// NotReady: what was installed did not get ready in time, or a hook failed.
	NotReady fault.Code = "not-ready"
)

// fault says what an error of Helm's library means: by the context, by what was kept on the way, by statuses and reasons, and never
// by the words of a message. What is none of these is what Helm itself has to say; then d says whether trying again can help.
func (s *session) fault(err error, d fault.Disposition, doing string) error {
	var known *fault.Error
	if err == nil {
		return nil
	}
	err = veiled{err, s.veil.mask(err.Error())}
	switch {
	case s.ctx.Err() != nil:
		return fault.From(s.ctx.Err())
	case errors.As(err, &known):
		return known
	case s.failure() != nil:
		return s.failure()
	}
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &status):
		return s.answered(err, int(status.Status().Code))
	case s.lost.Load():
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Kubernetes at %s does not answer; %s can't be %s", s.address, s.r.Step, doing)
	}
	return fault.Wrap(err, d, fault.ExecutorFailed, "%s can't be %s: Helm says: %s", s.r.Step, doing, s.said(err))
}

// veiled is a cause without secrets: what Helm and the API server say may quote what they were given.
type veiled struct {
	cause error
	text  string
}

// Error implements error.
func (v veiled) Error() string { return v.text }

// Unwrap lets classes be found.
func (v veiled) Unwrap() error { return v.cause }

// answered is about a request that the API server refused.
func (s *session) answered(err error, code int) error {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fault.Wrap(err, fault.Retry, fault.Busy, "the namespace %s of Kubernetes at %s is being removed; %s goes into it when it is there anew", s.namespace, s.address, s.r.Step)
	case code == http.StatusUnauthorized:
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied, "Kubernetes at %s does not know the runner: its certificate or token is wrong or has expired; give it a new kubeconfig", s.address)
	case code == http.StatusForbidden:
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied,
			"Kubernetes at %s forbids what the chart of %s needs: give the runner's account a role with that verb on that resource (it says: %s)", s.address, s.r.Step, s.said(err))
	case code == http.StatusNotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "Kubernetes at %s has no namespace %s, or knows no such object, for %s (it says: %s)", s.address, s.namespace, s.r.Step, s.said(err))
	case code == http.StatusConflict:
		return fault.Wrap(err, fault.Retry, fault.Conflict, "somebody else changed what belongs to %s in the namespace %s at the same time (it says: %s)", s.r.Step, s.namespace, s.said(err))
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Kubernetes at %s is too busy, or not ready, to answer (HTTP status %d)", s.address, code)
	}
	return fault.Wrap(err, fault.GiveUp, fault.Invalid, "Kubernetes at %s refuses what the chart of %s has (it says: %s)", s.address, s.r.Step, s.said(err))
}

// said is an error's text for a message: in one line, bounded, without secrets.
func (s *session) said(err error) string {
	const enough = 600
	text := s.veil.mask(strings.Join(strings.Fields(err.Error()), " "))
	return strings.ToValidUTF8(text[:min(len(text), enough)], "")
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
