package client

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
)

// Cluster is what the server knows of primary and secondaries.
func (a *API) Cluster(ctx context.Context) (wire.Cluster, error) {
	return get[wire.Cluster](ctx, a, "/cluster", nil)
}
