package replication

import (
	"context"
	"net/http"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// meet finds out whether a server is the primary that this secondary belongs to.
func (f *Follower) meet(ctx context.Context, r *remote) (id Identity, err error) {
	if id, err = r.Identity(ctx); err != nil {
		return id, err
	}
	epoch, err := f.Store.Epoch(ctx)
	if err != nil {
		return id, err
	}
	switch {
	case f.Primary != "" && id.Cluster != f.Primary:
		return id, fault.New(fault.GiveUp, fault.Conflict, "the server at %s is of cluster %q, and this secondary follows %q: mend primary_cluster_name, or the address",
			r.address, id.Cluster, f.Primary)
	case id.Role != Primary:
		return id, fault.New(fault.Wait, fault.NotPrimary, "the server at %s is no primary", r.address)
	case id.Leaving:
		return id, fault.New(fault.Wait, fault.Unavailable, "the primary at %s is leaving", r.address)
	case id.Epoch < epoch:
		return id, fault.New(fault.GiveUp, fault.StaleEpoch, "the primary at %s has epoch %d, and here epoch %d is in force: it was replaced, or its store is older than this one",
			r.address, id.Epoch, epoch)
	case id.Epoch < f.Floor():
		return id, fault.New(fault.Wait, fault.StaleEpoch, "the primary at %s has epoch %d, and this secondary has agreed to a takeover under epoch %d", r.address, id.Epoch, f.Floor())
	case id.Partitions != f.Partitions:
		return id, fault.New(fault.GiveUp, fault.Invalid, "the primary has %d partitions, and the setting partitions is %d here: set it to the primary's", id.Partitions, f.Partitions)
	case id.Lease > f.Lease:
		return id, fault.New(fault.GiveUp, fault.Invalid, "the primary acts for %s on a word of this secondary, and a takeover here would wait for %s: set cluster.lease to the same on both sides",
			id.Lease, f.Lease)
	}
	return id, f.key(ctx, r, id)
}

// key makes sure that what the primary has sealed can be opened here.
func (f *Follower) key(ctx context.Context, r *remote, id Identity) error {
	mine := f.KeyID()
	switch {
	case mine == id.KeyID || mine == "" && f.TakeKey == nil:
		return nil
	case mine != "":
		return fault.New(fault.GiveUp, fault.Conflict, "the primary at %s has another cluster's key than this secondary: it is another cluster, or the setting key is wrong", r.address)
	}
	public, private, err := secret.KeyPair()
	if err != nil {
		return err
	}
	var wrapped wrappedKey
	if err := r.ask(ctx, http.MethodPost, pathKey, keyRequest{public[:]}, &wrapped); err != nil {
		return err
	}
	key, err := secret.UnwrapKey(wrapped.Wrapped, public, private)
	if err != nil {
		return fault.Wrap(err, fault.Retry, Altered, "the cluster's key that the primary at %s gave can't be opened", r.address)
	}
	return f.TakeKey(key)
}
