package terraform

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxState is the largest state in bytes that is taken.
const maxState = 512 << 20

const userName = "vivarium"

// stateServer speaks Terraform's HTTP state protocol on loopback, for one run: GET, POST and DELETE of the state, LOCK
// and UNLOCK. Every run has a port and a password of its own.
type stateServer struct {
	keeper   *keeper
	log      *slog.Logger
	password string
	address  string
	http     *http.Server
	done     chan struct{}
}

func serve(ctx context.Context, k *keeper, log *slog.Logger) (*stateServer, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &stateServer{
		keeper: k, log: log, password: rand.Text(),
		address: "http://" + listener.Addr().String() + "/state",
		done:    make(chan struct{}),
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // always ends with http.ErrServerClosed, by close
	}()
	return s, nil
}

func (s *stateServer) close() {
	_ = s.http.Close() // the listener's error: it was closed, or will be with the process
	<-s.done
}

// environment tells Terraform's backend "http" where the state is. It keeps none of it in its data folder.
func (s *stateServer) environment() []string {
	return []string{
		"TF_HTTP_ADDRESS=" + s.address, "TF_HTTP_LOCK_ADDRESS=" + s.address, "TF_HTTP_UNLOCK_ADDRESS=" + s.address,
		"TF_HTTP_USERNAME=" + userName, "TF_HTTP_PASSWORD=" + s.password,
	}
}

// ServeHTTP answers one request; all need the run's password.
func (s *stateServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, password, _ := r.BasicAuth()
	if subtle.ConstantTimeCompare([]byte(password), []byte(s.password)) != 1 || name != userName {
		w.Header().Set("WWW-Authenticate", `Basic realm="state"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.URL.Path != "/state" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxState))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	switch r.Method {
	case http.MethodGet:
		s.get(w)
	case http.MethodPost:
		s.post(w, r, body)
	case http.MethodDelete:
		s.answer(w, nil, s.keeper.remove())
	case "LOCK":
		holder, err := s.keeper.take(body)
		s.answer(w, holder, err)
	case "UNLOCK":
		s.answer(w, nil, s.keeper.release(lockID(body)))
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *stateServer) get(w http.ResponseWriter) {
	state := s.keeper.state()
	if state == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.answer(w, state, nil)
}

func (s *stateServer) post(w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case !json.Valid(body):
		w.WriteHeader(http.StatusBadRequest)
	case !s.keeper.mayWrite(r.URL.Query().Get("ID")):
		s.answer(w, nil, errLocked)
	default:
		s.answer(w, nil, s.keeper.write(body))
	}
}

func (s *stateServer) answer(w http.ResponseWriter, body []byte, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, errLocked):
		w.WriteHeader(http.StatusLocked)
	case errors.Is(err, errReadOnly), s.keeper.lost():
		w.WriteHeader(http.StatusConflict)
	default:
		r := s.keeper.request
		s.log.Error("a Terraform state can't be kept", "environment", r.Environment, "step", r.Step, "attempt", r.Attempt, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write(body) // the one who asked has gone; it asks again
}
