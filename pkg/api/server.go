package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Limits of a connection. Streams lift the two deadlines for themselves and set one for every write.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10 // bytes
)

// Server serves the API. It is a service.Service; all methods are safe for concurrent use.
type Server struct {
	options Options
	echo    *echo.Echo
	feeds   *feeds

	summaries summaryCache

	stopping chan struct{} // closed when streams have to end

	mu      sync.Mutex
	http    *http.Server
	addr    string
	serving chan struct{} // closed when http.Serve has returned
	stopped bool
}

// New makes a Server that does not listen yet.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Server{options: o, feeds: newFeeds(o.Store, o.Log), stopping: make(chan struct{})}
	s.echo = s.router()
	return s, nil
}

// Handler is the API without a listener, for tests and for servers that have one.
func (s *Server) Handler() http.Handler {
	if s.options.Replication == nil && len(s.options.Beside) == 0 {
		return s.echo
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if beside := s.options.Beside[r.URL.Path]; beside != nil {
			beside.ServeHTTP(w, r)
			return
		}
		if s.options.Replication != nil && strings.HasPrefix(r.URL.Path, replication.Prefix) {
			s.options.Replication.ServeHTTP(w, r)
			return
		}
		s.echo.ServeHTTP(w, r)
	})
}

// Addr is the address that Start bound, host:port; empty before.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Start binds Options.Listen and serves. An address that can't be bound is fault.Unavailable.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.http != nil {
		return fault.New(fault.GiveUp, fault.Conflict, "the API is started once")
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.options.Listen)
	if err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable,
			"the API can't listen on %q: %v; choose another address", s.options.Listen, err)
	}
	s.addr = listener.Addr().String()
	if s.options.TLS != nil {
		listener = tls.NewListener(listener, s.options.TLS)
	}
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	s.serving = make(chan struct{})
	go s.serve(s.http, listener, s.serving)
	return nil
}

func (s *Server) serve(server *http.Server, listener net.Listener, done chan<- struct{}) {
	defer close(done)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.options.Log.Error("the API has stopped serving", "error", err)
	}
}

// Stop ends the streams, waits for the requests under way until ctx ends, and then cuts them off. Stopping twice, and
// before Start, is harmless.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
	}
	server, serving := s.http, s.serving
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fault.Wrap(err, fault.Retry, fault.Timeout, "requests to the API were cut off"), server.Close())
	}
	<-serving
	return err
}
