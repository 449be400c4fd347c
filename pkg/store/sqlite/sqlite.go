package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	engine "modernc.org/sqlite"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/internal/cursor"
	"github.com/vivarium-env/vivarium/pkg/store/internal/watch"
)

// Options of a store. Path is required.
type Options struct {
	// Path of the database file; it is made when missing, its folder has to exist. Two files beside it, with -wal
	// and -shm behind its name, belong to it.
	Path string
	// Log takes what nobody else hears of; nil discards it.
	Log *slog.Logger
	// Alone: no other process writes the file while it is open here. Then environments that were read are remembered; their maps and
	// slices are shared by all who read them, who may not change them.
	Alone bool
	// BusyTimeout is how long to wait for another process's transaction; 0 takes 10 seconds.
	BusyTimeout time.Duration
	// StepLogLines and EnvironmentLogLines bound the log lines that are kept of one step of one operation and of one
	// environment; the oldest go. A tenth more may be there between two prunings. 0 takes 10,000 and 200,000.
	StepLogLines, EnvironmentLogLines int
	// LogRetention is how long the lines of a step of an operation are kept after the last of them was written; 0 takes
	// 30 days. They may be there for an hour more.
	LogRetention time.Duration

	// Tests have another time.
	now                    func() time.Time
	firstSweep, sweepEvery time.Duration
}

const (
	defaultBusyTimeout         = 10 * time.Second
	defaultStepLogLines        = 10_000
	defaultEnvironmentLogLines = 200_000
	readers                    = 4
)

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = defaultBusyTimeout
	}
	if o.StepLogLines <= 0 {
		o.StepLogLines = defaultStepLogLines
	}
	if o.EnvironmentLogLines <= 0 {
		o.EnvironmentLogLines = defaultEnvironmentLogLines
	}
	if o.LogRetention <= 0 {
		o.LogRetention = defaultLogRetention
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.firstSweep <= 0 {
		o.firstSweep = firstSweep
	}
	if o.sweepEvery <= 0 {
		o.sweepEvery = sweepEvery
	}
	return o
}

// Store is a store.Store on a SQLite file. All methods are safe for concurrent use.
type Store struct {
	options Options
	path    string
	version string
	key     cursor.Key

	read       *sql.DB
	statements sync.Map // text to *sql.Stmt
	writer     *writer

	relayed  watch.Relayed
	watchers watch.Watchers
	records  records

	closing sync.Once
	closed  error
}

var _ store.Store = (*Store)(nil)

// Open opens the file, brings its schema up to date and starts the writer, which runs until Close. Errors are
// *fault.Error: Corrupt, NewerSchema, or fault.Unavailable when the file can't be made or is locked. ctx bounds
// the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{options: o.withDefaults(), path: o.Path}
	if o.Path == "" {
		return nil, fault.New(fault.Reject, fault.Invalid, "the store has no path; name the file that it is kept in")
	}
	if err := s.open(ctx); err != nil {
		return nil, s.asFault(err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(s.path)); err != nil || !info.IsDir() {
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the store %s can't be made: its folder does not exist", s.path)
	}
	makePrivate(s.path)
	c, err := openWriter(ctx, s.path, s.options.BusyTimeout)
	if err != nil {
		return err
	}
	if err := s.prepare(c); err != nil {
		return errors.Join(err, c.close())
	}
	if s.read, err = openReaders(s.path, s.options.BusyTimeout); err != nil {
		return errors.Join(err, c.close())
	}
	s.writer = startWriter(s, c)
	return nil
}

// makePrivate makes a missing file readable by its owner only; SQLite gives the two beside it the same mode. The file
// is made under another name, since closing a database's file here would end the locks that other handles of this
// process have on it. Where that is not possible SQLite makes the file as it does, or says why it can't.
func makePrivate(path string) {
	if _, err := os.Lstat(path); err == nil {
		return
	}
	made, err := os.CreateTemp(filepath.Dir(path), ".store-*")
	if err != nil {
		return
	}
	_ = made.Close()
	_ = os.Link(made.Name(), path)
	_ = os.Remove(made.Name())
}

// openWriter opens the writing connection. Two processes that switch a new file to WAL at the same moment get in
// each other's way in a place where SQLite does not wait by itself; so this does.
func openWriter(ctx context.Context, path string, busy time.Duration) (*conn, error) {
	name, err := dsn(path, busy, "journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY",
		"cache_size=-8000", "wal_autocheckpoint=2000", "foreign_keys=0")
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(busy); ; {
		c, err := openConn(name)
		if err == nil {
			return c, nil
		}
		if !busyCode(err) || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *Store) prepare(c *conn) error {
	if err := migrate(c, s.path); err != nil {
		return err
	}
	return c.query(func(row []driver.Value) error {
		key, _ := row[0].([]byte)
		s.key = key
		s.version, _ = row[1].(string)
		return nil
	}, "SELECT value, sqlite_version() FROM meta WHERE key = 'cursor_key'")
}

func openReaders(path string, busy time.Duration) (*sql.DB, error) {
	name, err := dsn(path, busy, "query_only=1", "cache_size=-2000", "temp_store=MEMORY")
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector(name))
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, nil
}

// connector opens connections for database/sql on a driver of our own, which nothing that is registered with the
// process's common one can change.
type connector string

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(string(c)) }
func (c connector) Driver() driver.Driver                        { return new(engine.Driver) }

// Close writes what is still waiting, and ends the writer and all watches. Calls that come later fail. Closing
// twice is harmless.
func (s *Store) Close() error {
	s.closing.Do(func() {
		err := s.writer.close()
		s.watchers.Close()
		s.closed = s.asFault(errors.Join(err, s.read.Close()))
	})
	return s.closed
}

// Info names SQLite, its version and the file.
func (s *Store) Info() store.Info {
	return store.Info{Driver: "sqlite", Version: s.version, Address: s.path}
}

// hash makes a short fingerprint of parts, in order; parts that are split otherwise have another.
func hash(parts ...string) int64 {
	h := sha256.New()
	for _, p := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return int64(binary.BigEndian.Uint64(h.Sum(nil))) //nolint:gosec // any 64 bits will do
}
