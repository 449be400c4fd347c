package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/eapache/go-resiliency/retrier"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Bus is a bus.Bus on NATS JetStream.
type Bus struct {
	o       Options
	driver  string
	address string
	nc      *client.Conn
	js      jetstream.JetStream
	out     *pipeline
	ended   chan struct{} // closed when the connection is closed for good and has said so
	once    sync.Once
	running *driver.Running[closer] // consumers and listeners

	mu         sync.Mutex
	topologies []bus.Topology
	up         bool
	changed    chan struct{} // closed when up changes, then replaced
	since      time.Time
	failure    string
	server     string
}

type closer interface {
	driver.Closer
	// lost is called when the connection is lost.
	lost()
}

var _ bus.Bus = (*Bus)(nil)

// Connect connects to a server, trying until ctx ends; give ctx a deadline unless the server may be waited for without
// end. An address that is wrong, or credentials that are refused, are an error at once.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	address, err := o.complete()
	if err != nil {
		return nil, err
	}
	options := []client.Option{client.Timeout(requestTimeout)}
	if o.TLS != nil {
		options = append(options, client.Secure(o.TLS))
	}
	return connect(ctx, o, "nats", address, options...)
}

func connect(ctx context.Context, o Options, kind, address string, more ...client.Option) (*Bus, error) {
	b := &Bus{
		o: o, driver: kind, address: address, since: time.Now(),
		running: driver.NewRunning[closer](), changed: make(chan struct{}), ended: make(chan struct{}),
	}
	b.out = newPipeline(b, o.InFlight)
	options := append([]client.Option{
		client.Name(o.Name),
		client.MaxReconnects(-1),
		client.CustomReconnectDelay(backoff),
		// What can't be sent now is not kept by the client, which would not say what became of it.
		client.ReconnectBufSize(-1),
		client.PingInterval(pingInterval), client.MaxPingsOutstanding(2),
		client.DisconnectErrHandler(func(_ *client.Conn, err error) { b.down(err) }),
		client.ReconnectHandler(func(*client.Conn) { b.again() }),
		client.ErrorHandler(b.problem),
		client.ClosedHandler(func(*client.Conn) { b.once.Do(func() { close(b.ended) }) }),
	}, more...)
	var last error
	r := retrier.New(retrier.LimitedExponentialBackoff(8, driver.FirstBackoff, driver.LastBackoff), passing{}).WithInfiniteRetry()
	r.SetJitter(0.25)
	err := r.RunCtx(ctx, func(ctx context.Context) error {
		last = b.dial(options)
		return last
	})
	if err == nil {
		return b, nil
	}
	b.out.end()
	if ctx.Err() != nil {
		return nil, fault.Wrap(ctx.Err(), fault.Wait, fault.Unavailable, "the NATS server at %s does not answer: %v", address, last)
	}
	return nil, err
}

// passing classifies the errors of the first connection: what only a person can put right is not tried again.
type passing struct{}

// Classify implements retrier.Classifier.
func (passing) Classify(err error) retrier.Action {
	switch {
	case err == nil:
		return retrier.Succeed
	case fault.From(err).Disposition == fault.Reject:
		return retrier.Fail
	default:
		return retrier.Retry
	}
}

func backoff(attempts int) time.Duration {
	d := driver.FirstBackoff << min(attempts-1, 6)
	return min(d, driver.LastBackoff) + jitter(d/4)
}

// dial makes one attempt.
func (b *Bus) dial(options []client.Option) error {
	nc, err := client.Connect(b.o.URL, options...)
	switch {
	case errors.Is(err, client.ErrAuthorization) || errors.Is(err, client.ErrAuthExpired) || errors.Is(err, client.ErrNkeysNotSupported):
		return fault.Wrap(err, fault.Reject, fault.Invalid, "the NATS server at %s refuses the user or token of the bus's address; check it", b.address)
	case err != nil:
		return fmt.Errorf("connecting to %s: %w", b.address, err)
	}
	b.nc = nc
	if b.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout)); err != nil {
		nc.Close()
		return fault.Wrap(err, fault.Reject, fault.Invalid, "the NATS server at %s can't be used", b.address)
	}
	if err := b.out.subscribe(); err != nil {
		nc.Close()
		return err
	}
	b.again()
	return nil
}

// down is called when the connection is lost. The client connects again by itself.
func (b *Bus) down(err error) {
	closing := b.running.Open() != nil
	b.mu.Lock()
	b.up, b.since, b.failure = false, time.Now(), "closed"
	if err != nil {
		b.failure = err.Error()
	} else if !closing {
		b.failure = "the server ended the connection"
	}
	reason := b.failure
	b.change()
	b.mu.Unlock()
	if !closing {
		b.o.Log.Warn("the connection to the NATS server is lost; connecting again", "server", b.address, "reason", reason)
	}
	b.out.down()
	for _, c := range b.running.All() {
		c.lost()
	}
}

// change wakes who waits for the connection; with mu held.
func (b *Bus) change() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// again is called when there is a connection.
func (b *Bus) again() {
	b.mu.Lock()
	b.up, b.since, b.failure = true, time.Now(), ""
	b.server = "NATS " + b.nc.ConnectedServerVersion()
	b.change()
	b.mu.Unlock()
	b.out.up()
}

// problem takes what the client has to say about a subscription.
func (b *Bus) problem(_ *client.Conn, sub *client.Subscription, err error) {
	if sub != nil && errors.Is(err, client.ErrSlowConsumer) {
		b.o.Log.Warn("a listener is too slow; messages to it are dropped", "subject", sub.Subject)
		return
	}
	b.o.Log.Warn("the NATS client has a problem", "error", err)
}

// wait waits for the connection.
func (b *Bus) wait(ctx context.Context) error {
	for {
		b.mu.Lock()
		up, changed := b.up, b.changed
		b.mu.Unlock()
		if err := b.running.Open(); err != nil || up {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Wait, fault.Unavailable, "the connection to the NATS server at %s is down", b.address)
		}
	}
}

// Status implements bus.Bus.
func (b *Bus) Status() bus.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bus.Status{Driver: b.driver, Server: b.server, Address: b.address, Connected: b.up, Since: b.since, Error: b.failure}
}

// Close implements bus.Bus.
func (b *Bus) Close(ctx context.Context) error {
	return b.running.Close(ctx, driver.Steps{Begin: b.wake, Drain: b.out.close, End: b.leave})
}

// wake tells who waits for the connection that there is none to wait for.
func (b *Bus) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change()
}

// leave ends the connection.
func (b *Bus) leave() {
	if b.nc.IsConnected() {
		_ = b.nc.FlushTimeout(time.Second) // the last acknowledgements
	}
	b.nc.Close()
	<-b.ended
	b.out.end()
}
