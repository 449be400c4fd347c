package executor

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Prober is what an Executor may be besides: it asks status endpoints whose addresses have a scheme of its own, where the
// runner itself asks those of HTTP and TCP.
type Prober interface {
	// Scheme begins the addresses, such as "consul"; a runner says with it which endpoints it can ask.
	Scheme() string
	// Await tells how an endpoint stands: at once with the mark 0, and with that of an earlier answer as soon as there is
	// something new, or after some minutes. An error means that it is not known; its disposition says whether it may be later.
	Await(ctx context.Context, e event.Endpoint, mark uint64) (Health, error)
}

// Health is how a status endpoint stands.
type Health struct {
	Healthy bool
	// Detail says what is wrong, for people; it is short and holds no secret.
	Detail string
	// Mark stands for this answer in the next Await.
	Mark uint64
}
