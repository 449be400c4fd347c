package arango

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arangodb/go-driver/v2/connection"
)

// endpoints are the addresses of one deployment. Requests go to the present one until it is left; several goroutines that
// leave the same one move on once.
type endpoints struct {
	all     []string
	present atomic.Int64
}

// List is part of connection.Endpoint.
func (e *endpoints) List() []string { return e.all }

// Get is part of connection.Endpoint.
func (e *endpoints) Get(asked, _, _ string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if len(e.all) == 0 {
		return "", errors.New("no endpoint is known")
	}
	return e.all[int(e.present.Load())%len(e.all)], nil
}

func (e *endpoints) leave(from int64) { e.present.CompareAndSwap(from, (from+1)%int64(len(e.all))) }

// errLogin: the server does not take the credentials.
var errLogin = errors.New("ArangoDB refuses the user or the password")

// transport shows who asks: a token that it gets from the server and renews when it is refused, or what was given.
type transport struct {
	base http.RoundTripper
	o    Options

	token atomic.Pointer[string]
	login sync.Mutex
}

func newTransport(o Options) *transport {
	base := &http.Transport{TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 32, MaxIdleConns: 64, IdleConnTimeout: 90 * time.Second,
		ResponseHeaderTimeout: time.Minute, ForceAttemptHTTP2: false, Proxy: http.ProxyFromEnvironment}
	return &transport{base: base, o: o}
}

// RoundTrip sends a request once, and once more with a new token.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case t.o.Token != "":
		return t.send(r, "bearer "+t.o.Token)
	case t.o.User == "":
		return t.base.RoundTrip(r)
	case t.o.Basic:
		r = r.Clone(r.Context())
		r.SetBasicAuth(t.o.User, t.o.Password)
		return t.base.RoundTrip(r)
	}
	token, err := t.tokenFor(r, nil)
	if err != nil {
		return nil, err
	}
	response, err := t.send(r, "bearer "+*token)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	if r.GetBody == nil && r.Body != nil {
		return response, nil
	}
	_ = response.Body.Close() // what it says is known
	if token, err = t.tokenFor(r, token); err != nil {
		return nil, err
	}
	if r.GetBody != nil {
		if r.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return t.send(r, "bearer "+*token)
}

func (t *transport) send(r *http.Request, authorization string) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", authorization)
	return t.base.RoundTrip(r)
}

// tokenFor is the present token, or a new one when the present one was refused. One goroutine gets it for all.
func (t *transport) tokenFor(r *http.Request, refused *string) (*string, error) {
	if token := t.token.Load(); token != nil && token != refused {
		return token, nil
	}
	t.login.Lock()
	defer t.login.Unlock()
	if token := t.token.Load(); token != nil && token != refused {
		return token, nil
	}
	token, err := t.newToken(r.Context(), r.URL.Scheme+"://"+r.URL.Host)
	if err == nil {
		t.token.Store(token)
	}
	return token, err
}

func (t *transport) newToken(ctx context.Context, endpoint string) (*string, error) {
	body, err := json.Marshal(map[string]string{"username": t.o.User, "password": t.o.Password})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/_open/auth", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was read
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return nil, errLogin
	default:
		return nil, fmt.Errorf("POST /_open/auth was answered by %s", response.Status)
	}
	var answer struct {
		Token string `json:"jwt"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer); err != nil || answer.Token == "" {
		return nil, fmt.Errorf("POST /_open/auth was answered without a token: %w", err)
	}
	return &answer.Token, nil
}

// close lets go of idle connections.
func (t *transport) close() {
	if base, ok := t.base.(*http.Transport); ok {
		base.CloseIdleConnections()
	}
}

var _ connection.Endpoint = (*endpoints)(nil)
