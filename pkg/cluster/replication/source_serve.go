package replication

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// asked is a request whose signature is right.
type asked struct {
	*http.Request
	nonce string
	body  []byte
}

// query is a parameter of the address.
func (a *asked) query(name string) string { return a.URL.Query().Get(name) }

func (s *Source) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, answer := range map[string]func(*asked) (any, error){
		"GET " + Prefix + pathSelf:      func(a *asked) (any, error) { return s.Identity(a.Context()) },
		"GET " + Prefix + pathTemplates: s.lent(s.template),
		"GET " + Prefix + pathState:     s.lent(s.state),
		"GET " + Prefix + pathMark:      s.mark, // also a secondary tells, so that both sides can find where they parted
		"POST " + Prefix + pathKey:      s.primary(s.key),
		"POST " + Prefix + pathPosition: s.primary(s.position),
	} {
		mux.HandleFunc(path, s.signed(func(w http.ResponseWriter, a *asked) {
			found, err := answer(a)
			s.answer(w, a, found, err)
		}))
	}
	for name, order := range s.Orders {
		mux.HandleFunc("POST "+Prefix+pathOrders+name, s.signed(func(w http.ResponseWriter, a *asked) {
			found, err := order(a.Context(), a.body)
			s.answer(w, a, found, err)
		}))
	}
	mux.HandleFunc("POST "+Prefix+pathStream, s.signed(s.stream))
	return mux
}

// ServeHTTP answers what is below Prefix.
func (s *Source) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// signed lets in who knows the token. Who does not hears nothing else.
func (s *Source) signed(next func(http.ResponseWriter, *asked)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
		nonce, ok := authorized(s.Token, r.Header.Get("Authorization"), r.Method, r.URL.RequestURI(), body)
		if err != nil || !ok {
			http.Error(w, "the request is not signed with this cluster's replication token: set the same replication_token on both sides", http.StatusUnauthorized)
			return
		}
		next(w, &asked{r, nonce, body})
	}
}

// primary refuses what only the primary has to give.
func (s *Source) primary(next func(*asked) (any, error)) func(*asked) (any, error) {
	return func(a *asked) (any, error) {
		if err := s.isPrimary(); err != nil {
			return nil, err
		}
		return next(a)
	}
}

func (s *Source) isPrimary() error {
	if me := s.Self(); me.Role != Primary {
		return fault.New(fault.Wait, fault.NotPrimary, "the server %s of cluster %s is no primary", me.Server, me.Cluster)
	}
	return nil
}

// answer sends JSON and its signature.
func (s *Source) answer(w http.ResponseWriter, a *asked, found any, err error) {
	status := http.StatusOK
	if err != nil {
		f := fault.From(err)
		found, status = f, statusOf(f)
		if status == http.StatusInternalServerError {
			s.Log.Error("a secondary's request failed", "path", a.URL.Path, "error", err)
		}
	}
	body, err := json.Marshal(found)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(headerSignature, answerSignature(s.Token, a.nonce, status, body))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func statusOf(f *fault.Error) int {
	switch f.Code {
	case fault.NotFound:
		return http.StatusNotFound
	case fault.NotPrimary, fault.Conflict:
		return http.StatusConflict
	case fault.Invalid, fault.Unreadable:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// read takes the body apart.
func read[T any](a *asked) (T, error) {
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		return v, fault.Wrap(err, fault.Reject, fault.Unreadable, "the request can't be read: %v", err)
	}
	return v, nil
}

func (s *Source) template(a *asked) (any, error) {
	found, err := s.Store.Template(a.Context(), a.query("hash"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.New(fault.Reject, fault.NotFound, "the primary has no template %s", a.query("hash"))
	}
	return template{found, found.Archive}, err
}

func (s *Source) state(a *asked) (any, error) {
	found, err := s.Store.State(a.Context(), a.query("environment"), a.query("step"))
	if errors.Is(err, store.ErrNotFound) || err == nil && found.Hash != a.query("hash") {
		return nil, fault.New(fault.Reject, fault.NotFound, "the primary has another state of %s in %s, or none", a.query("step"), a.query("environment"))
	}
	return state{found.Environment, found.Step, found.Hash, found.Data}, err
}

func (s *Source) mark(a *asked) (any, error) {
	partition, err := strconv.Atoi(a.query("partition"))
	seq, err2 := strconv.ParseUint(a.query("seq"), 10, 48)
	if err != nil || err2 != nil || partition < 0 || partition >= s.Partitions {
		return nil, fault.New(fault.Reject, fault.Invalid, "partition and seq have to be numbers of this cluster")
	}
	return place(a.Context(), s.Store, partition, seq)
}

// key gives the cluster's key to who knows the token, so that only the owner of the key pair reads it.
func (s *Source) key(a *asked) (any, error) {
	asks, err := read[keyRequest](a)
	if err != nil {
		return nil, err
	}
	var public [32]byte
	if copy(public[:], asks.Public) != len(public) || len(asks.Public) != len(public) {
		return nil, fault.New(fault.Reject, fault.Invalid, "a public key has %d bytes", len(public))
	}
	wrapped, err := s.Box.Wrap(&public)
	if err == nil {
		s.Log.Info("a secondary was given the cluster's key", "address", a.RemoteAddr, "for", hex.EncodeToString(public[:4]))
	}
	return wrappedKey{wrapped}, err
}

func (s *Source) position(a *asked) (any, error) {
	r, err := read[Report](a)
	if err != nil {
		return nil, err
	}
	if len(r.Positions) > s.Partitions || len(r.Stopped) > s.Partitions {
		return nil, fault.New(fault.Reject, fault.Invalid, "this cluster has %d partitions", s.Partitions)
	}
	s.peers.report(r, a.RemoteAddr)
	if s.Reported != nil {
		s.Reported(r)
	}
	if s.Told != nil && !r.AsOf.IsZero() {
		s.Told(r)
	}
	return struct{}{}, nil
}
