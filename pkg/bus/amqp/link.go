package amqp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/eapache/go-resiliency/retrier"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// link is one connection to the broker that comes back by itself.
type link struct {
	o       Options
	address string
	purpose string
	log     *slog.Logger
	// prepare is called with every new connection before anybody else gets it.
	prepare func(*amqp091.Connection) error

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	spare  sync.WaitGroup // connections that have a successor and are not closed yet
	// refused is the user whom the broker has refused in the last attempt; used by who connects alone.
	refused string

	mu      sync.Mutex
	conn    *connection   // nil while there is none
	changed chan struct{} // closed when conn changes, then replaced
	since   time.Time
	server  string
	failure string
}

func newLink(o Options, address, purpose string, prepare func(*amqp091.Connection) error) *link {
	l := &link{
		o: o, address: address, purpose: purpose, prepare: prepare,
		log:     o.Log.With("broker", address, "connection", purpose),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		since:   time.Now(),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// start makes the first connection, trying until ctx ends, and keeps one from then on.
func (l *link) start(ctx context.Context) error {
	conn, err := l.connect(ctx, true)
	if err != nil {
		l.cancel()
		close(l.done)
		return err
	}
	go l.keep(conn)
	return nil
}

// close ends the connection for good.
func (l *link) close() {
	l.cancel()
	<-l.done
	l.spare.Wait()
}

// keep replaces the connection whenever it is lost, or its login is spent.
func (l *link) keep(conn *connection) {
	defer close(l.done)
	for conn != nil {
		conn = l.next(conn)
	}
}

// next waits for the connection behind this one; it is nil when the link has ended.
func (l *link) next(conn *connection) *connection {
	lost, spent := conn.NotifyClose(make(chan *amqp091.Error, 1)), conn.spent
	for {
		select {
		case <-spent:
			if next := l.replace(conn); next != nil {
				return next
			}
			spent = nil // it was lost meanwhile, or the link has ended
		case why := <-lost:
			l.set(nil, explain(why))
			l.log.Warn("the connection to the broker is lost; connecting again", "reason", explain(why))
			next, _ := l.connect(l.ctx, false)
			if next != nil {
				l.log.Info("connected to the broker again")
			}
			return next
		case <-l.ctx.Done():
			l.set(nil, "closed")
			_ = conn.CloseDeadline(time.Now().Add(dialTimeout))
			return nil
		}
	}
}

// connect tries until it has a connection or ctx ends. The first time, what only a person can put right is an error
// at once; later the broker had taken us before, so it is waited for.
func (l *link) connect(ctx context.Context, first bool) (*connection, error) {
	var conn *connection
	var last error
	r := retrier.New(retrier.LimitedExponentialBackoff(8, driver.FirstBackoff, driver.LastBackoff), retries{onlyPassing: first}).WithInfiniteRetry()
	r.SetJitter(0.25)
	err := r.RunFn(ctx, func(ctx context.Context, tries int) error {
		conn, last = l.dial(ctx)
		if last != nil {
			l.set(nil, last.Error())
			if tries == 5 {
				l.log.Warn("the broker can't be reached; still trying", "error", last)
			}
		}
		return last
	})
	switch {
	case err == nil:
		l.set(conn, "")
		return conn, nil
	case ctx.Err() != nil && errors.Is(last, errNoLogin):
		return nil, fault.Wrap(last, fault.Wait, fault.Unavailable, "there are no credentials for the broker at %s: %s", l.address, fault.From(last).Message)
	case ctx.Err() != nil:
		return nil, fault.Wrap(ctx.Err(), fault.Wait, fault.Unavailable, "the broker at %s does not answer: %v", l.address, last)
	default:
		return nil, err
	}
}

// retries classifies the errors of dial.
type retries struct{ onlyPassing bool }

// Classify implements retrier.Classifier.
func (r retries) Classify(err error) retrier.Action {
	var f *fault.Error
	switch {
	case err == nil:
		return retrier.Succeed
	case r.onlyPassing && errors.As(err, &f) && (f.Disposition == fault.Reject || f.Disposition == fault.GiveUp):
		return retrier.Fail
	default:
		return retrier.Retry
	}
}

// dial makes one attempt.
func (l *link) dial(ctx context.Context) (*connection, error) {
	login, err := l.login(ctx)
	if err != nil {
		return nil, err
	}
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName(l.o.Name + " " + l.purpose)
	conn, err := amqp091.DialConfig(l.o.URL, amqp091.Config{
		Heartbeat:       l.o.Heartbeat,
		TLSClientConfig: l.o.TLS,
		Properties:      properties,
		SASL:            login.sasl(),
		Dial: func(network, address string) (net.Conn, error) {
			limit, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			c, err := l.o.Dial(limit, network, address)
			if err != nil {
				return nil, err
			}
			return c, c.SetDeadline(time.Now().Add(dialTimeout)) // for the handshakes; the client clears it after them
		},
	})
	if err != nil {
		return nil, l.refusal(err, login)
	}
	l.refused = ""
	if err := l.prepare(conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &connection{Connection: conn, spent: login.Spent, retired: make(chan struct{})}, nil
}

// refusal says why there is no connection, in words without credentials.
func (l *link) refusal(err error, login Login) error {
	if errors.Is(err, amqp091.ErrCredentials) || code(err) == amqp091.AccessRefused {
		l.refused = login.User
	}
	if errors.Is(err, amqp091.ErrCredentials) || errors.Is(err, amqp091.ErrSASL) || errors.Is(err, amqp091.ErrVhost) || code(err) == amqp091.AccessRefused || code(err) == amqp091.NotAllowed {
		return fault.Wrap(err, fault.Reject, fault.Invalid, "the broker at %s refuses the user or the virtual host of the bus's address; check both", l.address)
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return fault.Wrap(err, fault.Reject, fault.Invalid, "the broker at %s shows a certificate that can't be verified: say which authority has issued it (bus_ca_file), and see that it is for that address", l.address)
	}
	return fmt.Errorf("connecting to %s: %w", l.address, err)
}

func (l *link) set(conn *connection, failure string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = failure
	if conn == l.conn {
		return
	}
	l.conn, l.since = conn, time.Now()
	if conn != nil {
		l.server = fmt.Sprint(conn.Properties["product"], " ", conn.Properties["version"])
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *link) status() bus.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bus.Status{Driver: "amqp", Server: l.server, Address: l.address, Connected: l.conn != nil, Since: l.since, Error: l.failure}
}
