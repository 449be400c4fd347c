package nats

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Options say which server, and as whom.
type Options struct {
	// URL is nats://host:port, or tls:// for TLS, with a user and password or a token before the @ where needed.
	URL string
	// Name is shown for the connection on the server; empty is "vivarium".
	Name string
	// Log takes warnings about lost connections and such; nil logs nothing.
	Log *slog.Logger
	// TLS is used when the URL or the server asks for it; nil takes the system's roots.
	TLS *tls.Config
	// AckWait is how soon what a dead connection held in a shared queue is delivered again; while the connection lives, it is
	// prolonged. 0 takes 5 seconds.
	AckWait time.Duration
	// InFlight bounds how many messages may be sent and not yet confirmed; 0 takes 8192.
	InFlight int
}

const (
	defaultAckWait = 5 * time.Second
	// maxPayload is the server's limit, which counts headers too.
	maxPayload = driver.MaxBody + 64<<10
	// requestTimeout bounds one call of JetStream's interface, and the wait for one confirm.
	requestTimeout = 10 * time.Second
	confirmTimeout = 30 * time.Second
	// A server that says nothing to pings for this long, twice, is gone.
	pingInterval = 5 * time.Second
)

// complete fills in the defaults and reads the address; its errors do not repeat the URL, which may have a password in it.
func (o *Options) complete() (address string, err error) {
	if o.Name == "" {
		o.Name = "vivarium"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.AckWait <= 0 {
		o.AckWait = defaultAckWait
	}
	if o.InFlight <= 0 {
		o.InFlight = driver.DefaultInFlight
	}
	u, err := url.Parse(o.URL)
	// An @ behind the host is a password that was not percent-encoded, the first part of which looks like the host.
	if err != nil || u.Host == "" || strings.Contains(u.Path+u.RawQuery, "@") {
		return "", fault.New(fault.Reject, fault.Invalid, "the address of the bus is not a NATS URL; write nats://user:password@host:4222, with what is special in the password percent-encoded")
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "4222"), nil
	}
	return u.Host, nil
}
