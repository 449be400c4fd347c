package amqp

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Login is who connects.
type Login struct {
	User, Password string
	// Spent is closed when connections that were made with it are to be replaced by others; nil is never.
	Spent <-chan struct{}
}

// Options say which broker, and as whom.
type Options struct {
	// URL is amqp://user:password@host:port/vhost, or amqps:// for TLS.
	URL string
	// Login is asked before every connection is made, and counts instead of who is in URL; nil takes that. refused is the user whom
	// the broker has refused just now, "" at first and after a connection that was lost. It is called by several goroutines. Of its
	// errors those that only a person can put right (fault.Reject, fault.GiveUp) are Dial's at once; later all are waited for.
	Login func(ctx context.Context, refused string) (Login, error)
	// Name is shown for the connections in the broker's management; empty is "vivarium".
	Name string
	// Log takes warnings about lost connections and such; nil logs nothing.
	Log *slog.Logger
	// TLS is used for amqps; nil takes the system's roots and the URL's host.
	TLS *tls.Config
	// Dial makes the connections; nil does so as usual. The certificate is checked for the URL's host however it is reached.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Heartbeat is how often each side says that it is alive; a peer that was silent for about twice as long is gone.
	// 0 takes 5 seconds, and less than a second is a second.
	Heartbeat time.Duration
	// InFlight bounds how many messages may be sent and not yet confirmed; 0 takes 8192.
	InFlight int
}

const (
	defaultHeartbeat = 5 * time.Second
	// dialTimeout bounds one attempt to connect, handshakes included.
	dialTimeout = 10 * time.Second
	// confirmTimeout bounds the wait for one confirm.
	confirmTimeout = 15 * time.Second
)

// complete fills in the defaults and reads the address; its errors do not repeat the URL, which has the password in it.
func (o *Options) complete() (address string, err error) {
	uri, err := amqp091.ParseURI(o.URL)
	// An @ behind the host is a password that was not percent-encoded, the first part of which looks like the host.
	if err != nil || strings.Contains(uri.Vhost, "@") {
		return "", fault.New(fault.Reject, fault.Invalid, "the address of the bus is not an AMQP URL; write amqp://user:password@host:5672/vhost, with what is special in the password percent-encoded")
	}
	if o.Name == "" {
		o.Name = "vivarium"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = defaultHeartbeat
	}
	o.Heartbeat = max(o.Heartbeat, time.Second)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.InFlight <= 0 {
		o.InFlight = driver.DefaultInFlight
	}
	return net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), nil
}
