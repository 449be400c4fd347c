package client

import (
	"context"
	"net/url"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Cluster is what the server knows of primary and secondaries.
func (a *API) Cluster(ctx context.Context) (wire.Cluster, error) {
	return get[wire.Cluster](ctx, a, "/cluster", nil)
}

// Divergence is what is set aside of the server's journal.
func (a *API) Divergence(ctx context.Context) ([]store.Aside, error) {
	list, err := get[wire.List[store.Aside]](ctx, a, "/cluster/divergence", nil)
	return list.Items, err
}

// DivergenceJournal is a page of set aside entries behind a seq; limit 0 is the server's.
func (a *API) DivergenceJournal(ctx context.Context, id string, behind uint64, limit int) (wire.List[store.Entry], error) {
	return get[wire.List[store.Entry]](ctx, a, "/cluster/divergence/"+url.PathEscape(id)+"/journal", after(behind, limit))
}
