package initialise

import (
	"cmp"
	"context"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// keyed is the address that the operator's keys know this Vault by.
func (w *vaultWork) keyed() string { return cmp.Or(w.whose, w.b.Address) }

// nodes are the Vaults of a cluster, each of which is asked by itself, or the only one.
func (w *vaultWork) nodes() ([]*vaultWork, error) {
	if len(w.b.Nodes) == 0 {
		return []*vaultWork{w}, nil
	}
	all := make([]*vaultWork, 0, len(w.b.Nodes))
	for _, address := range w.b.Nodes {
		n := &vaultWork{o: w.o, r: w.r, b: w.b, whose: w.b.Address}
		n.b.Address = address
		if err := n.connect(); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// open has a cluster initialised once, and every node of it unsealed.
func (w *vaultWork) open(ctx context.Context) error {
	nodes, err := w.nodes()
	if err != nil {
		return err
	}
	begun, err := initialised(ctx, nodes)
	if err == nil && !begun {
		err = nodes[0].initialise(ctx)
	}
	if err == nil {
		err = unsealed(ctx, nodes)
	}
	if err == nil {
		w.vault = nodes[0].vault // what stands for all may still be finding out that they are there
	}
	return err
}

// initialised tells whether any node is. That none is can be known only when all answer: one that has lost its storage joins the others again.
func initialised(ctx context.Context, nodes []*vaultWork) (bool, error) {
	var away error
	for _, n := range nodes {
		h, err := n.health(ctx)
		switch {
		case err != nil:
			away = cmp.Or(away, err)
		case h.Initialized:
			return true, nil
		}
	}
	return false, away
}

// unsealAll unseals every node of a Vault that is initialised.
func (w *vaultWork) unsealAll(ctx context.Context) error {
	nodes, err := w.nodes()
	if err != nil {
		return err
	}
	return unsealed(ctx, nodes)
}

// unsealed has every node unsealed, also behind one that can't be; the error is about the first of these.
func unsealed(ctx context.Context, nodes []*vaultWork) (failed error) {
	for _, n := range nodes {
		failed = cmp.Or(failed, n.join(ctx, len(nodes) > 1))
	}
	return failed
}

// join waits for a node of several to have found the others, and unseals it.
func (w *vaultWork) join(ctx context.Context, others bool) error {
	if others {
		err := w.await(ctx, func() error {
			h, err := w.health(ctx)
			if err == nil && !h.Initialized {
				err = fault.New(fault.Wait, fault.Unavailable, "Vault at %s has not found the others yet, which it is to join: see that it reaches them, and that enough of them are unsealed", w.b.Address)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return w.unseal(ctx)
}

// gather is how all nodes are: initialised when one is, sealed when one is. What follows is asked of one that answers and is not sealed.
func (w *vaultWork) gather(ctx context.Context) (*api.HealthResponse, error) {
	if len(w.b.Nodes) == 0 {
		return w.health(ctx)
	}
	nodes, err := w.nodes()
	if err != nil {
		return nil, err
	}
	var sum *api.HealthResponse
	var away error
	for _, n := range nodes {
		h, err := n.health(ctx)
		if err != nil {
			away = cmp.Or(away, err)
			continue
		}
		if sum == nil {
			sum = &api.HealthResponse{}
		}
		if h.Initialized && !h.Sealed {
			w.vault = n.vault
		}
		sum.Initialized, sum.Sealed = sum.Initialized || h.Initialized, sum.Sealed || h.Sealed
	}
	if sum == nil {
		return nil, away
	}
	return sum, nil
}
