package arango

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func (s *standIn) open() *Store {
	s.Helper()
	opened, err := Open(s.Context(), s.options())
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, opened.Close()) })
	return opened
}

// failing answers the first requests of one kind with an error.
func (s *standIn) failing(what string, times int, status, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = func(asked string, w http.ResponseWriter) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if asked != what || times == 0 {
			return false
		}
		times--
		refuse(w, status, number, "as the documentation says")
		return true
	}
}

func batchOf(seq uint64, names ...string) store.Batch {
	b := store.Batch{Epoch: 1, Entries: []store.Entry{{Seq: seq, Environment: "a", Type: "x", Time: time.Unix(1, 0), Data: []byte(`{}`)}}}
	for _, n := range names {
		b.Changes.Environments = append(b.Changes.Environments, environment.Record{Name: n, Status: environment.Deployed})
	}
	return b
}

// TestRequestsOfABatch: what is sent, in what order; all between begin and commit carries the transaction's id, or the
// stand-in would not have it when it is committed.
func TestRequestsOfABatch(t *testing.T) {
	s := newStandIn(t)
	a := s.open()
	s.forget()
	b := batchOf(1, "a")
	b.Changes.Created = []string{"a"}
	b.Changes.Resources = []environment.ResourceRecord{{Environment: "a", Node: environment.Node{Address: "x", DependsOn: []string{"y"}}}}
	require.NoError(t, a.Append(t.Context(), b))
	require.Equal(t, []string{"begin", "meta_get", "meta_put", "partitions_fence", "meta_put", "partition_first", "put_entries",
		"clear_resources", "clear_states", "clear_edges", "clear_edges", "clear_edges", "clear_edges", "put_changed", "put_changed", "put", "put", "commit"}, s.asked())
	s.forget()
	b = batchOf(2, "a")
	b.Changes.Resources = []environment.ResourceRecord{{Environment: "a", Node: environment.Node{Address: "x", DependsOn: []string{"y"}}, Status: "deployed"}}
	require.NoError(t, a.Append(t.Context(), b))
	require.Equal(t, []string{"begin", "meta_get", "partition_advance", "put_entries", "put_changed", "put_changed", "commit"}, s.asked(),
		"edges that have not changed are not written")
}

func TestWriteConflictsAreTriedAgain(t *testing.T) {
	for _, what := range []string{"begin", "partition_first", "put_entries", "put_changed", "commit"} {
		s := newStandIn(t)
		a := s.open()
		s.failing(what, 3, http.StatusConflict, conflict)
		err := a.Append(t.Context(), batchOf(1, "a"))
		s.failing("", 0, 0, 0)
		require.NoError(t, err, what)
		entries, err := a.Entries(t.Context(), store.Selection{})
		require.NoError(t, err)
		require.Len(t, entries, 1, what)
	}
}

func TestConflictsThatDoNotEnd(t *testing.T) {
	s := newStandIn(t)
	a := s.open()
	s.failing("put_entries", -1, http.StatusConflict, conflict)
	err := a.Append(t.Context(), batchOf(1))
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.Equal(t, fault.Retry, fault.From(err).Disposition)
	require.NotErrorIs(t, err, store.ErrConflict, "somebody else's write to the same document is no fence")
}

func TestTakenKeysAreAConflict(t *testing.T) {
	s := newStandIn(t)
	a := s.open()
	s.failing("put_entries", 1, http.StatusConflict, unique)
	require.ErrorIs(t, a.Append(t.Context(), batchOf(1, "ghost")), store.ErrConflict)
	require.Contains(t, s.asked(), "abort")
	_, err := a.Environment(t.Context(), "ghost")
	require.ErrorIs(t, err, store.ErrNotFound, "nothing of it is left")
}

// TestDocumentNotFound: error 1202 is about a document that a query names, and none does: it is an error like others.
func TestDocumentNotFound(t *testing.T) {
	s := newStandIn(t)
	a := s.open()
	s.failing("document", -1, http.StatusNotFound, 1202)
	_, err := a.Environment(t.Context(), "a")
	require.True(t, fault.Is(err, fault.Internal), "%v", err)
	require.NotErrorIs(t, err, store.ErrNotFound)
}

func TestAServerThatIsAwayForAMoment(t *testing.T) {
	for name, number := range map[string]int{"503": 503, "leader moved": notLeader, "leadership undecided": challenge,
		"leader resigned": leaderResigned, "shutting down": shuttingDown, "backend away": backendAway} {
		for _, what := range []string{"document", "begin", "put_entries"} {
			s := newStandIn(t)
			a := s.open()
			s.failing(what, 2, http.StatusServiceUnavailable, number)
			require.NoError(t, a.Append(t.Context(), batchOf(1, "a")), "%s at %s", name, what)
			r, err := a.Environment(t.Context(), "a")
			require.NoError(t, err, "%s at %s", name, what)
			require.Equal(t, "a", r.Name)
		}
	}
}

// TestLostAnswerToACommit: the batch is there, and its writer is told so; another's batch in its place is a conflict.
func TestLostAnswerToACommit(t *testing.T) {
	s := newStandIn(t)
	a := s.open()
	lose := true
	s.mu.Lock()
	s.fault = func(what string, w http.ResponseWriter) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if what != "commit" || !lose {
			return false
		}
		lose = false
		for id, world := range s.running {
			s.world = world
			delete(s.running, id)
		}
		<-s.turn
		panic(http.ErrAbortHandler) // the connection is cut
	}
	s.mu.Unlock()
	require.NoError(t, a.Append(t.Context(), batchOf(1, "a")))
	require.ErrorIs(t, a.Append(t.Context(), batchOf(1, "b")), store.ErrConflict)
}

// TestFailover: requests go to the second endpoint when the first does not answer, and stay there.
func TestFailover(t *testing.T) {
	s := newStandIn(t)
	var first atomic.Int64
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		first.Add(1)
		refuse(w, http.StatusServiceUnavailable, 503, "starting")
	}))
	defer broken.Close()
	o := s.options()
	o.Endpoints = []string{"http://127.0.0.1:1", broken.URL, s.http.URL}
	a, err := Open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	seen := first.Load()
	require.NoError(t, a.Append(t.Context(), batchOf(1, "a")))
	require.Equal(t, seen, first.Load(), "an endpoint that was left is not asked again while the present one answers")
}

func TestNobodyAnswers(t *testing.T) {
	_, err := Open(t.Context(), Options{Endpoints: []string{"http://127.0.0.1:1"}, Database: "x", Attempts: 2, backoff: 1})
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.Contains(t, fault.From(err).Message, "127.0.0.1:1/x")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ended, Options{Endpoints: []string{"http://127.0.0.1:1"}, Database: "x"})
	require.ErrorIs(t, err, context.Canceled)
}

func TestTokens(t *testing.T) {
	s := newStandIn(t)
	a := s.open()
	require.NoError(t, a.Append(t.Context(), batchOf(1, "a")))
	s.mu.Lock()
	s.token = "token-2" // the first one is no longer good
	s.mu.Unlock()
	require.NoError(t, a.Append(t.Context(), batchOf(2, "b")))
	o := s.options()
	o.Password = "wrong"
	_, err := Open(t.Context(), o)
	require.True(t, fault.Is(err, Denied), "%v", err)
	require.NotContains(t, err.Error(), "wrong")
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
}

func TestBasicAuthentication(t *testing.T) {
	s := newStandIn(t)
	s.token = ""
	var shown atomic.Value
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		shown.Store(user + ":" + password)
		s.serve(w, r)
	}))
	defer relay.Close()
	o := s.options()
	o.Basic, o.Endpoints = true, []string{relay.URL}
	a, err := Open(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	require.Equal(t, "root:secret", shown.Load())
}

func TestForbidden(t *testing.T) {
	s := newStandIn(t)
	a := s.open()
	s.failing("begin", -1, http.StatusForbidden, 11)
	require.True(t, fault.Is(a.Append(t.Context(), batchOf(1)), Denied))
	s.failing("put_entries", -1, http.StatusInternalServerError, diskFull)
	err := a.Append(t.Context(), batchOf(1))
	require.True(t, fault.Is(err, Full))
	require.Equal(t, fault.Wait, fault.From(err).Disposition)
}

func TestNewerSchema(t *testing.T) {
	s := newStandIn(t)
	require.NoError(t, s.open().Close())
	s.mu.Lock()
	s.world["meta"]["schema"] = doc{"_key": "schema", "value": 99.0}
	s.mu.Unlock()
	_, err := Open(t.Context(), s.options())
	require.True(t, fault.Is(err, NewerSchema), "%v", err)
}

// TestHalfMade: a database whose making was cut short is made to the end by the next who opens it.
func TestHalfMade(t *testing.T) {
	s := newStandIn(t)
	s.failing("meta_init", -1, http.StatusInternalServerError, 4)
	_, err := Open(t.Context(), s.options())
	require.Error(t, err)
	s.failing("", 0, 0, 0)
	a := s.open()
	require.NoError(t, a.Append(t.Context(), batchOf(1, "a")))
	require.Equal(t, "3.12.5", a.Info().Version)
}

func TestLogsInBounds(t *testing.T) {
	s := newStandIn(t)
	o := s.options()
	o.StepLogLines, o.EnvironmentLogLines = 100, 250
	a, err := Open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	write := func(step string, first, count int) {
		l := event.Logs{First: first, TaskRef: event.TaskRef{Environment: "a", Operation: "o", Step: step, Attempt: 1}}
		l.Lines = make([]event.LogLine, count)
		require.NoError(t, a.AppendLogs(t.Context(), l))
	}
	for i := range 50 {
		write("x", i*10, 10)
	}
	kept, err := a.ReadLogs(t.Context(), store.LogSelection{Environment: "a", Step: "x"})
	require.NoError(t, err)
	require.LessOrEqual(t, len(kept), 110)
	require.GreaterOrEqual(t, len(kept), 90)
	require.Equal(t, 499, kept[len(kept)-1].Number, "the oldest go")
	for _, step := range []string{"y", "z", "v", "w"} {
		write(step, 0, 90)
	}
	kept, err = a.ReadLogs(t.Context(), store.LogSelection{Environment: "a"})
	require.NoError(t, err)
	require.LessOrEqual(t, len(kept), 275)
	require.GreaterOrEqual(t, len(kept), 200)
}

func TestAddresses(t *testing.T) {
	o, err := ParseURL("arangodb+tls://root:p%40ss@one:8529,two/vivarium?auth=basic")
	require.NoError(t, err)
	require.Equal(t, []string{"https://one:8529", "https://two:8529"}, o.Endpoints)
	require.Equal(t, "p@ss", o.Password)
	require.True(t, o.Basic)
	require.Equal(t, "vivarium", o.Database)
	for _, bad := range []string{"", "arangodb://", "arangodb://host", "arangodb://host:8529/", "arangodb://u:topsecret@/db", "http://h/db",
		"arangodb://h/a/b", "arangodb://h,/db", "arangodb://u:topsecret@h:x/db", "arangodb://h/db?auth=none", "arangodb://h/db?x=1", "arangodb://h/db#f", "arangodb://u:topsecret\x7f@h/db"} {
		_, err := ParseURL(bad)
		require.True(t, fault.Is(err, fault.Invalid), "%q: %v", bad, err)
		require.NotContains(t, err.Error(), "topsecret")
	}
}
