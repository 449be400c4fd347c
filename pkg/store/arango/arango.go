package arango

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arangodb/go-driver/v2/arangodb"
	"github.com/arangodb/go-driver/v2/connection"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/internal/cursor"
	"github.com/vivarium-env/vivarium/pkg/store/internal/watch"
)

// Store is a store.Store on ArangoDB. All methods are safe for concurrent use.
type Store struct {
	options   Options
	endpoints *endpoints
	transport *transport
	client    arangodb.Client
	db        arangodb.Database
	version   string
	key       cursor.Key

	watchers watch.Watchers
	relays   watch.Relayed

	closed  atomic.Bool
	once    sync.Once
	ended   chan struct{} // closed by Close
	running sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open connects, makes the database and what belongs into it where that is missing, and starts what works beside the
// calls until Close. Errors are *fault.Error: Denied, NewerSchema, or fault.Unavailable when no endpoint answers. ctx bounds
// the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	if len(o.Endpoints) == 0 || o.Database == "" {
		return nil, fault.New(fault.Reject, fault.Invalid, "the store has no address; it looks like %s", form)
	}
	s := &Store{options: o.withDefaults(), endpoints: &endpoints{all: o.Endpoints}, ended: make(chan struct{})}
	s.transport = newTransport(s.options)
	s.client = arangodb.NewClient(connection.NewHttpConnection(connection.HttpConfiguration{
		Endpoint: s.endpoints, ContentType: connection.ApplicationJSON, Transport: s.transport}))
	if err := s.open(ctx); err != nil {
		s.transport.close()
		return nil, err
	}
	s.running.Add(2)
	go s.pollWatchers()
	go s.flushRelays()
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	err := s.retry(ctx, func(ctx context.Context) error {
		version, err := s.client.Version(ctx)
		if err != nil {
			return err
		}
		s.version = string(version.Version)
		if s.db, err = s.client.GetDatabase(ctx, s.options.Database, &arangodb.GetDatabaseOptions{SkipExistCheck: true}); err != nil {
			return err
		}
		return s.migrate(ctx)
	})
	if err != nil {
		return plain(err)
	}
	text, _, err := askOne[string](ctx, s, "meta_get", binds{"key": "cursor_key"})
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return fault.Wrap(err, fault.GiveUp, fault.Internal, "the database %s has no key for cursors; restore it from a backup", s.options.Database)
	}
	s.key = key
	return nil
}

// Close writes what is still to be known as relayed, and ends all watches. Calls that come later fail. Closing twice is
// harmless.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.ended)
		s.running.Wait()
		s.closed.Store(true)
		s.watchers.Close()
		s.transport.close()
	})
	return nil
}

// Info names ArangoDB, its version and the first endpoint.
func (s *Store) Info() store.Info {
	return store.Info{Driver: "arangodb", Version: s.version, Address: s.address()}
}

func (s *Store) address() string {
	hosts := make([]string, len(s.options.Endpoints))
	for i, e := range s.options.Endpoints {
		hosts[i] = e
		if u, err := url.Parse(e); err == nil {
			hosts[i] = u.Host
		}
	}
	return strings.Join(hosts, ",") + "/" + s.options.Database
}

// inTransaction does work in a stream transaction that writes to some collections, and takes others for itself. After an
// error nothing of it is left.
func (s *Store) inTransaction(ctx context.Context, c arangodb.TransactionCollections, work func(arangodb.Transaction) error) (err error) {
	t, err := s.db.BeginTransaction(ctx, c, &arangodb.BeginTransactionOptions{WaitForSync: true, LockTimeout: 10})
	if err != nil {
		return err
	}
	if err = work(t); err == nil {
		if err = t.Commit(ctx, nil); err == nil {
			return nil
		}
		err = uncertain{err}
	}
	// The server ends it by itself after a minute when this does not reach it, and says no when it is over already.
	aborting, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	_ = t.Abort(aborting, nil)
	return err
}

// abortTime is how long a caller waits for the end of a transaction that came to nothing.
const abortTime = 5 * time.Second

// uncertain is the error of a commit: what it was to write may be there all the same.
type uncertain struct{ error }

func (u uncertain) Unwrap() error { return u.error }
