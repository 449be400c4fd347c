package consulkv

import (
	"context"
	"slices"

	"github.com/hashicorp/consul/api"
)

// leave removes the keys from where the last apply wrote them, when the block now says another prefix or datacentre.
func (w *work) leave(ctx context.Context, want wanted) error {
	keep, err := w.leaving(ctx, want)
	if err != nil || keep == nil {
		return err
	}
	_, err = w.converge(ctx, w.before.place, nil, keep)
	return err
}

// leaving tells which keys at the last apply's place stay, because they are wanted by their full names; nil where that is
// the place still, or there is none.
func (w *work) leaving(ctx context.Context, want wanted) (keep func(*api.KVPair) bool, err error) {
	old := w.before.place
	if !old.usable() || old == w.here {
		return nil, nil
	}
	same, err := w.sameDatacentre(ctx, old)
	return func(pair *api.KVPair) bool {
		_, ok := want[pair.Key]
		return same && ok
	}, err
}

// sameDatacentre tells whether keys of the old place lie in the datacentre that the block says now. Two names may be
// those of one, since none is the agent's own: they are when they have a server in common.
func (w *work) sameDatacentre(ctx context.Context, old place) (bool, error) {
	if old.datacenter == w.here.datacenter {
		return true, nil
	}
	there, err := w.servers(ctx, old)
	if err != nil {
		return false, err
	}
	here, err := w.servers(ctx, w.here)
	return slices.ContainsFunc(there, func(server string) bool { return slices.Contains(here, server) }), err
}

// servers are the addresses of the datacentre's servers; they need no permission.
func (w *work) servers(ctx context.Context, p place) (servers []string, err error) {
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	options := (&api.QueryOptions{Datacenter: p.datacenter}).WithContext(bounded)
	if _, err = w.consul.Raw().Query("/v1/status/peers", &servers, options); err != nil {
		return nil, w.fault(ctx, p, toRead, err)
	}
	return servers, nil
}
