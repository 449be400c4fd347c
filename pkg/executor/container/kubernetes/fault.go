package kubernetes

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// verb is what we ask the API server to do with an object, in the word that its roles use.
type verb string

const (
	toGet    verb = "get"
	toList   verb = "list"
	toWatch  verb = "watch"
	toPatch  verb = "patch"
	toDelete verb = "delete"
)

// fault says what an error of the API means. It goes by statuses and reasons, never by the words of a message.
func (s *session) fault(ctx context.Context, v verb, k kind, err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case errors.As(err, &known):
		return known
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return s.unreachable(err)
	}
	code := int(status.Status().Code)
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fault.Wrap(err, fault.Retry, fault.Busy, "the namespace %s of Kubernetes at %s is being removed; %s goes into it when it is there anew",
			s.at.namespace, s.c.address, s.r.Step)
	case code == http.StatusUnauthorized:
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied, "Kubernetes at %s does not know the runner: its certificate or token is wrong or has expired; give it a new kubeconfig", s.c.address)
	case code == http.StatusForbidden:
		return s.forbidden(v, k, status, err)
	case code == http.StatusConflict:
		return fault.Wrap(err, fault.Retry, fault.Conflict, "somebody else changed a %s of %s in the namespace %s while it was written", k.name, s.r.Step, s.at.namespace)
	case code == http.StatusNotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "Kubernetes at %s has no namespace %s (or knows no %s) for %s: create it, or set another%s",
			s.c.address, s.at.namespace, k.Resource, s.r.Step, s.said(status))
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Kubernetes at %s is too busy, or not ready, to answer (HTTP status %d)", s.c.address, code)
	}
	return fault.Wrap(err, fault.GiveUp, fault.Invalid, "Kubernetes at %s refuses the %s of %s%s", s.c.address, k.name, s.r.Step, s.said(status))
}

// forbidden names what the runner's role lacks, unless something else forbids it, such as a quota.
func (s *session) forbidden(v verb, k kind, status apierrors.APIStatus, cause error) error {
	lacks := "the runner's account needs a role with the verb " + string(v) + " on " + k.Resource
	if k.Group != "" {
		lacks += " of " + k.Group
	}
	return fault.Wrap(cause, fault.GiveUp, fault.PermissionDenied, "Kubernetes at %s forbids to %s %s in the namespace %s for %s: %s%s",
		s.c.address, v, k.Resource, s.at.namespace, s.r.Step, lacks, s.said(status))
}

// said is what the API server answered, to be appended to a sentence. It may quote what it was given, so it is masked.
func (s *session) said(status apierrors.APIStatus) string {
	const enough = 600
	text := s.r.Mask(strings.Join(strings.Fields(status.Status().Message), " "))
	if text == "" {
		return ""
	}
	return " (it says: " + strings.ToValidUTF8(text[:min(len(text), enough)], "") + ")"
}

// unreachable is for requests that got no answer.
func (s *session) unreachable(err error) error {
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
			"the certificate of Kubernetes at %s is not one that the runner trusts: its kubeconfig needs the certificate-authority of that cluster", s.c.address)
	}
	return fault.Wrap(err, fault.Wait, fault.Unavailable, "Kubernetes at %s does not answer: %s", s.c.address, why(err))
}

// why is the part of a transport's error that is fit for everybody.
func why(err error) string {
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.As(err, &dns):
		return "its name can't be resolved"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return "the connection failed"
}
