package replication

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// nothing is a store that nobody asks.
type nothing struct{ store.Store }

func contextOf() (context.Context, context.CancelCauseFunc) {
	return context.WithCancelCause(context.Background())
}
