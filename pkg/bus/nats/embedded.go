package nats

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// EmbeddedOptions say how the server inside the process is run.
type EmbeddedOptions struct {
	// Dir keeps the messages. One server at a time may use it.
	Dir string
	// Listen is the host and port for NATS clients; "127.0.0.1:0", a free loopback port, unless given. NoListen takes none.
	Listen string
	// Token has to be given by every client; empty lets everybody in who reaches the port.
	Token string
	// EncryptionKey encrypts the messages at rest when not empty; what was stored with one key can only be read with it.
	EncryptionKey string
	// Log takes the server's warnings and errors; nil logs nothing.
	Log *slog.Logger
}

// NoListen as EmbeddedOptions.Listen: only this process can connect.
const NoListen = "none"

// Embedded is a NATS server inside the process. All methods are safe for concurrent use.
type Embedded struct {
	o      EmbeddedOptions
	server *server.Server
	unlock func()
}

// readyTimeout bounds the start, which reads what is stored.
const readyTimeout = time.Minute

// StartEmbedded starts a server with JetStream and returns when it works.
func StartEmbedded(ctx context.Context, o EmbeddedOptions) (*Embedded, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	options, err := o.server()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the folder of the embedded bus can't be made: %v", err)
	}
	unlock, err := lock(filepath.Join(o.Dir, "lock"))
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Busy, "the folder %q of the embedded bus is in use by another process", o.Dir)
	}
	s, err := server.NewServer(options)
	if err != nil {
		unlock()
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the embedded bus can't be started: %v", err)
	}
	log := &serverLog{log: o.Log}
	s.SetLoggerV2(log, false, false, false)
	e := &Embedded{o: o, server: s, unlock: unlock}
	s.Start()
	if err := e.ready(ctx); err != nil {
		_ = e.Stop(context.WithoutCancel(ctx))
		if last := log.last(); last != "" && !fault.Is(err, fault.Invalid) {
			return nil, fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the embedded bus can't be started: %s", last)
		}
		return nil, err
	}
	log.ready.Store(true)
	return e, nil
}

func (e *Embedded) ready(ctx context.Context) error {
	limit := readyTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	if !e.server.ReadyForConnections(limit) || !e.server.JetStreamEnabled() {
		return fault.New(fault.GiveUp, fault.Unavailable, "the embedded bus does not start; is its port taken?")
	}
	return e.complete()
}

// complete makes sure that all streams of the folder are there: the server goes on without those that it can't read, and
// new ones of the same names would take the place of their messages.
func (e *Embedded) complete() error {
	stored, err := filepath.Glob(filepath.Join(e.o.Dir, server.JetStreamStoreDir, "*", "streams", "*"))
	if err != nil {
		return err
	}
	is, err := e.server.Jsz(&server.JSzOptions{})
	if err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the embedded bus does not work")
	}
	if is.Streams < len(stored) {
		return fault.New(fault.GiveUp, fault.Invalid, "%d of %d streams in the folder %q of the embedded bus can't be read; is the encryption key another one than before?", len(stored)-is.Streams, len(stored), e.o.Dir)
	}
	return nil
}

func (o *EmbeddedOptions) server() (*server.Options, error) {
	options := &server.Options{
		ServerName: "vivarium", NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: o.Dir,
		JetStreamKey: o.EncryptionKey, JetStreamCipher: server.AES,
		Authorization: o.Token,
		MaxPayload:    maxPayload, MaxPending: 8 * maxPayload,
		// What consumers keep in memory is small; this is no reservation.
		JetStreamMaxMemory: 256 << 20,
		// A client that hangs is found out, so that another can have its partitions.
		PingInterval: pingInterval, MaxPingsOut: 2,
		// The synchronisation with the disk is NATS's default; see the documentation of the package.
	}
	switch o.Listen {
	case NoListen:
		options.DontListen = true
		return options, nil
	case "":
		o.Listen = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err == nil {
		options.Host = host
		options.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		return nil, fault.New(fault.Reject, fault.Invalid, "%q is no address for the embedded bus to listen on; write host:port", o.Listen)
	}
	if options.Port == 0 {
		options.Port = server.RANDOM_PORT
	}
	return options, nil
}

// Address is the host and port for NATS clients; empty with NoListen.
func (e *Embedded) Address() string {
	if address, ok := e.server.Addr().(*net.TCPAddr); ok && e.o.Listen != NoListen {
		return address.String()
	}
	return ""
}

// ClientURL is what a client on this machine connects to, the token included: it is a secret. Empty with NoListen.
func (e *Embedded) ClientURL() string {
	if e.Address() == "" {
		return ""
	}
	u := url.URL{Scheme: "nats", Host: e.Address()}
	if e.o.Token != "" {
		u.User = url.User(e.o.Token)
	}
	return u.String()
}

// Bus is a connection inside the process. It works until the server is stopped.
func (e *Embedded) Bus(ctx context.Context) (*Bus, error) {
	o := Options{URL: "nats://embedded:4222", Name: "vivarium embedded", Log: e.o.Log}
	if _, err := o.complete(); err != nil {
		return nil, err
	}
	options := []client.Option{client.InProcessServer(e.server), client.Timeout(requestTimeout)}
	if e.o.Token != "" {
		options = append(options, client.Token(e.o.Token))
	}
	return connect(ctx, o, "embedded", e.Address(), options...)
}

// Broken tells whether the server can store no more, as after a write for which its disk had no room: it does not mend that by itself, also when there is
// room again, but finds all that it had stored when it is started anew.
func (e *Embedded) Broken() error {
	h := e.server.Healthz(&server.HealthzOptions{})
	if h.Error == "" {
		return nil
	}
	return fault.New(fault.GiveUp, fault.Unavailable, "the embedded bus can store no more: make room on the disk of %s, and start again, which goes on from here (%s)", e.o.Dir, h.Error)
}

// Stop ends the server; what is stored stays. Stopping twice is harmless.
func (e *Embedded) Stop(ctx context.Context) error {
	over := make(chan struct{})
	go func() {
		defer close(over)
		e.server.Shutdown()
		e.server.WaitForShutdown()
		e.unlock()
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the embedded bus does not stop: %w", ctx.Err())
	}
}
