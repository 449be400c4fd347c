package amqp

import (
	"context"
	"errors"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// retireTimeout bounds how long a connection that has a successor stays, for what is under way on it to end.
const retireTimeout = 10 * time.Second

// errNoLogin is behind every error of Options.Login.
var errNoLogin = errors.New("no login")

// connection is one connection to the broker, with those who work on it.
type connection struct {
	*amqp091.Connection
	// spent is closed when its login is; nil is never.
	spent <-chan struct{}
	// retired is closed when there is a successor: who works on this one ends what is under way, and goes there.
	retired chan struct{}
	work    sync.WaitGroup
}

// release is for who has held it and has ended.
func (c *connection) release() { c.work.Done() }

func (c *connection) isRetired() bool {
	select {
	case <-c.retired:
		return true
	default:
		return false
	}
}

// login asks for that of the next connection.
func (l *link) login(ctx context.Context) (Login, error) {
	if l.o.Login == nil {
		return Login{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	login, err := l.o.Login(ctx, l.refused)
	if err != nil {
		f := fault.From(err)
		return login, fault.Wrap(errors.Join(errNoLogin, err), f.Disposition, f.Code, "%s", f.Message)
	}
	return login, nil
}

// sasl is nil where the address says who connects.
func (l Login) sasl() []amqp091.Authentication {
	if l.User == "" {
		return nil
	}
	return []amqp091.Authentication{&amqp091.PlainAuth{Username: l.User, Password: l.Password}}
}

// replace makes the successor of a connection that still works, and gives all who work on that the time to move. It is nil when the
// old one is lost before, or the link ends.
func (l *link) replace(old *connection) *connection {
	for wait := driver.FirstBackoff; !old.IsClosed() && l.ctx.Err() == nil; wait = min(2*wait, driver.LastBackoff) {
		next, err := l.dial(l.ctx)
		if err == nil {
			l.set(next, "")
			l.log.Info("connected to the broker anew, since the credentials have changed")
			l.spare.Add(1)
			go l.retire(old)
			return next
		}
		l.log.Warn("can't connect with new credentials yet; the connection that there is goes on", "error", err)
		_ = resilience.Pause(l.ctx, wait)
	}
	return nil
}

// retire closes a connection that nobody gets any more, once nobody works on it.
func (l *link) retire(old *connection) {
	defer l.spare.Done()
	close(old.retired)
	idle := make(chan struct{})
	go func() { defer close(idle); old.work.Wait() }()
	timeout := time.NewTimer(retireTimeout)
	defer timeout.Stop()
	select {
	case <-idle:
	case <-timeout.C:
	case <-l.ctx.Done():
	}
	_ = old.CloseDeadline(time.Now().Add(dialTimeout))
}

// hold waits for a connection, which stays, as far as this side is concerned, until release.
func (l *link) hold(ctx context.Context) (*connection, error) {
	for {
		conn, changed := l.held()
		if conn != nil {
			return conn, nil
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return nil, driver.ErrClosed
		case <-ctx.Done():
			return nil, fault.Wrap(ctx.Err(), fault.Wait, fault.Unavailable, "the connection to the broker at %s is down", l.address)
		}
	}
}

// held is nil while there is none, or the one that there is was closed and keep has not seen it yet.
func (l *link) held() (*connection, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.conn.IsClosed() {
		return nil, l.changed
	}
	l.conn.work.Add(1)
	return l.conn, nil
}

// stream waits for a connection and opens a channel on it.
func (l *link) stream(ctx context.Context) (*stream, error) {
	conn, err := l.hold(ctx)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		conn.release()
		return nil, driver.Unavailable(err, "the broker at %s gave no channel", l.address)
	}
	return &stream{conn: conn, ch: ch, lost: ch.NotifyClose(make(chan *amqp091.Error, 1)), cancelled: ch.NotifyCancel(make(chan string, 1))}, nil
}
