package consulkv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// access is what a call needs the token to allow.
type access string

const (
	toRead  access = "read"
	toWrite access = "write"
)

// fault says what an error of the API means. It goes by statuses and, where those say too little, by what Consul answers
// when it is asked; never by the words of a message.
func (w *work) fault(ctx context.Context, p place, need access, err error) error {
	if ctx.Err() != nil {
		return fault.From(ctx.Err())
	}
	var status api.StatusError
	if !errors.As(err, &status) {
		return w.unreachable(p, err)
	}
	switch status.Code {
	case http.StatusForbidden, http.StatusUnauthorized:
		if w.unknownToken(ctx, p) {
			return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied,
				"Consul at %s does not know the token of the runner (it has expired, or was deleted): give the runner a new one", w.target(p))
		}
		return w.denied(p, need, err)
	case http.StatusRequestEntityTooLarge:
		return fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"Consul at %s takes no values as large as those of %s: make them smaller, or raise its limits kv_max_value_size and txn_max_req_len",
			w.target(p), w.r.Step)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Consul at %s is too busy, or not ready, to answer (HTTP status %d)", w.target(p), status.Code)
	}
	if status.Code >= http.StatusInternalServerError {
		return w.failed(ctx, p, err)
	}
	return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
		"Consul at %s refused a request for %s with HTTP status %d; is this the address of Consul's HTTP API, with the right scheme?",
		w.target(p), w.r.Step, status.Code)
}

// denied names what the token lacks.
func (w *work) denied(p place, need access, cause error) error {
	return fault.Wrap(cause, fault.GiveUp, fault.PermissionDenied,
		"Consul at %s does not let the runner %s keys below %q for %s: its token needs a policy with key_prefix %q { policy = %q }",
		w.target(p), need, w.r.Mask(p.folder()), w.r.Step, w.r.Mask(p.folder()), toWrite)
}

func (w *work) unknownToken(ctx context.Context, p place) bool {
	if w.options.Token == "" {
		return false
	}
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	_, _, err := w.consul.ACL().TokenReadSelf((&api.QueryOptions{Datacenter: p.datacenter}).WithContext(bounded))
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusForbidden
}

// failed finds out why Consul could not do it: it has no leader, or does not know the datacentre.
func (w *work) failed(ctx context.Context, p place, cause error) error {
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	if p.datacenter != "" {
		var known []string // answered from what the agent has heard, without a leader
		_, err := w.consul.Raw().Query("/v1/catalog/datacenters", &known, (&api.QueryOptions{}).WithContext(bounded))
		if err == nil && !slices.Contains(known, p.datacenter) {
			return fault.Wrap(cause, fault.GiveUp, fault.NotFound, "Consul at %s knows no datacentre %q for %s; it knows %s",
				w.address.shown, w.r.Mask(p.datacenter), w.r.Step, strings.Join(known, ", "))
		}
	}
	leader, err := w.consul.Status().LeaderWithQueryOptions((&api.QueryOptions{Datacenter: p.datacenter}).WithContext(bounded))
	switch {
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case err != nil || leader == "":
		return fault.Wrap(cause, fault.Wait, fault.Unavailable, "Consul at %s has no leader and can't answer for its keys until it has elected one", w.target(p))
	}
	return fault.Wrap(cause, fault.Retry, fault.ExecutorFailed, "Consul at %s failed at a request for %s; its log tells why", w.target(p), w.r.Step)
}

// unreachable is for requests that got no answer.
func (w *work) unreachable(p place, err error) error {
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
			"the certificate of Consul at %s is not one that the runner trusts: give the runner the CA's file, or the name in the certificate", w.target(p))
	case errors.Is(err, http.ErrSchemeMismatch):
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "Consul at %s does not speak TLS there: use http://, or its https port", w.target(p))
	}
	return fault.Wrap(err, fault.Wait, fault.Unavailable, "Consul at %s does not answer: %s", w.target(p), why(err))
}

// why is the part of a transport's error that is fit for everybody.
func why(err error) string {
	var timeout interface{ Timeout() bool }
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.As(err, &dns):
		return "its name can't be resolved"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return "the connection failed"
}

// taken names the keys that are somebody else's.
func (w *work) taken(foreign []*api.KVPair) error {
	const enough = 3
	var names []string
	for _, pair := range foreign[:min(enough, len(foreign))] {
		names = append(names, fmt.Sprintf("%q", w.r.Mask(pair.Key)))
	}
	more := ""
	if n := len(foreign) - enough; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fault.New(fault.GiveUp, fault.Exists,
		"%s can't have %s%s in Consul: there are such keys already, and they are not its own (their flags are not its mark); "+
			"delete them there, or choose other keys or another prefix", w.r.Step, strings.Join(names, ", "), more)
}
