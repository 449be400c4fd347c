package consulkv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// healthWait is how long Consul holds a question to which there is nothing new; it adds up to a sixteenth of it.
const healthWait = 4 * time.Minute

var _ executor.Prober = (*Executor)(nil)

// Scheme of status endpoints that are services in Consul: consul://SERVICE?dc=DATACENTRE&passing.
func (*Executor) Scheme() string { return "consul" }

// Await asks Consul how the instances of a service are, by one of its blocking queries. The service is healthy when at
// least one instance has no check that is critical, or, with "passing", when all checks of at least one pass: what Consul's
// own DNS would answer with.
func (e *Executor) Await(ctx context.Context, p event.Endpoint, mark uint64) (executor.Health, error) {
	at, err := url.Parse(p.URL)
	if err != nil || at.Scheme != e.Scheme() || at.Host == "" {
		return executor.Health{}, fault.New(fault.Reject, fault.Invalid, "the status endpoint names no service in Consul")
	}
	consul, err := e.client()
	if err != nil {
		return executor.Health{}, err
	}
	wait := healthWait
	if mark == 0 {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(ctx, wait+wait/8+e.options.Timeout)
	defer cancel()
	options := &api.QueryOptions{Datacenter: at.Query().Get("dc"), WaitIndex: mark, WaitTime: wait}
	instances, meta, err := consul.Health().Service(at.Host, "", false, options.WithContext(ctx))
	if err != nil {
		return executor.Health{}, e.healthFault(ctx, at, err)
	}
	h := judge(at.Host, instances, at.Query().Has("passing"))
	// An index that goes back means that Consul has begun anew; 0 would make the next question not wait at all.
	if h.Mark = max(meta.LastIndex, 1); h.Mark < mark {
		h.Mark = 1
	}
	return h, nil
}

// judge is the health of a service by that of its instances.
func judge(service string, instances []*api.ServiceEntry, passing bool) executor.Health {
	well := 0
	var ill []string
	for _, i := range instances {
		status := i.Checks.AggregatedStatus()
		if status == api.HealthPassing || (status == api.HealthWarning && !passing) {
			well++
			continue
		}
		for _, c := range i.Checks {
			if c.Status != api.HealthPassing {
				ill = append(ill, fmt.Sprintf("%s on %s is %s", c.CheckID, i.Node.Node, c.Status))
			}
		}
	}
	switch {
	case len(instances) == 0:
		return executor.Health{Detail: fmt.Sprintf("Consul knows no instance of the service %q", service)}
	case well > 0:
		return executor.Health{Healthy: true}
	}
	slices.Sort(ill)
	return executor.Health{Detail: fmt.Sprintf("no instance of %q is healthy in Consul: %s", service, strings.Join(ill[:min(len(ill), 5)], ", "))}
}

// healthFault says why it is not known. All that Consul itself may get over is waited for.
func (e *Executor) healthFault(ctx context.Context, at *url.URL, err error) error {
	var status api.StatusError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.From(ctx.Err())
	case !errors.As(err, &status):
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Consul at %s does not answer: %s", e.address.shown, why(err))
	case status.Code == http.StatusForbidden || status.Code == http.StatusUnauthorized:
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied, "Consul at %s does not let the runner ask for the service %q: its token needs a "+
			"policy with service %q { policy = \"read\" } and node_prefix \"\" { policy = \"read\" }", e.address.shown, at.Host, at.Host)
	}
	return fault.Wrap(err, fault.Wait, fault.Unavailable, "Consul at %s can't tell how the service %q is (HTTP status %d)", e.address.shown, at.Host, status.Code)
}
