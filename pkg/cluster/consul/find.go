package consul

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Find lists the instances of a service in a datacentre, "" for the agent's own; those that are healthy first. A
// datacentre that nobody knows is fault.NotFound, and names those that are known.
func (c *Client) Find(ctx context.Context, service, datacentre string) (all []Instance, err error) {
	err = c.call(ctx, datacentre, func(ctx context.Context) error {
		found, _, err := c.api.Health().Service(service, "", false, (&api.QueryOptions{Datacenter: datacentre}).WithContext(ctx))
		if err != nil {
			return err
		}
		all = all[:0]
		for _, e := range found {
			all = append(all, instanceOf(e))
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

func rank(i Instance) int {
	if i.Healthy {
		return 0
	}
	return 1
}

func instanceOf(e *api.ServiceEntry) Instance {
	m := e.Service.Meta
	epoch, _ := strconv.ParseUint(m["epoch"], 10, 64) // what is no number is of nobody of ours
	i := Instance{ID: e.Service.ID, Service: e.Service.Service, Name: m["name"], Cluster: m["cluster"], Role: m["role"], Epoch: epoch,
		Version: m["version"], Address: m["address"], TLS: m["tls"] == "true", Healthy: e.Checks.AggregatedStatus() == api.HealthPassing, Datacentre: e.Node.Datacenter}
	if i.Address == "" && e.Service.Port > 0 {
		i.Address = hostOf(e)
	}
	return i
}

func hostOf(e *api.ServiceEntry) string {
	host := e.Service.Address
	if host == "" {
		host = e.Node.Address
	}
	return net.JoinHostPort(host, strconv.Itoa(e.Service.Port))
}

// Locate gives the addresses (host:port) of the healthy instances of any service, such as a broker. None is
// fault.Unavailable.
func (c *Client) Locate(ctx context.Context, service, datacentre string) (addresses []string, err error) {
	err = c.call(ctx, datacentre, func(ctx context.Context) error {
		found, _, err := c.api.Health().Service(service, "", true, (&api.QueryOptions{Datacenter: datacentre}).WithContext(ctx))
		if err != nil {
			return err
		}
		addresses = addresses[:0]
		for _, e := range found {
			addresses = append(addresses, hostOf(e))
		}
		return nil
	})
	if err == nil && len(addresses) == 0 {
		err = fault.New(fault.Wait, fault.Unavailable, "Consul at %s has no healthy instance of a service %q", c.shown, service)
	}
	return addresses, err
}

func split(address string) (host string, port int) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0
	}
	port, _ = strconv.Atoi(text)
	return host, port
}
