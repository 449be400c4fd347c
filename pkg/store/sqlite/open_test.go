package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

func requireRefused(t *testing.T, path string, code fault.Code) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.Nil(t, s)
	require.Error(t, err)
	f := fault.From(err)
	require.Equal(t, code, f.Code, "%v", err)
	if path != "" {
		require.Contains(t, f.Message, path, "the message names the file")
	}
}

// touch runs SQL on a file that no store has open.
func touch(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), statements)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, file(path).Open(t).Close())
	touch(t, path, "INSERT INTO schema_version VALUES (99, 'tomorrow')")
	requireRefused(t, path, sqlite.NewerSchema)
	touch(t, path, "DELETE FROM schema_version WHERE version = 99")
	require.NoError(t, file(path).Open(t).Close(), "a refused file is left as it was")
}

// TestOpenBesideAWriter: a second server starts although the first is in the middle of a transaction, and reads.
func TestOpenBesideAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, file(path).Open(t).Close())
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	writing, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = writing.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, BusyTimeout: time.Millisecond})
	require.NoError(t, err)
	_, err = s.Head(t.Context(), 0)
	require.NoError(t, err)
	_, err = writing.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, writing.Close())
	require.NoError(t, s.Close())
}

func TestForeignDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	touch(t, path, "CREATE TABLE accounts (id)")
	requireRefused(t, path, sqlite.Corrupt)
}

func TestNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600))
	requireRefused(t, path, sqlite.Corrupt)
	requireRefused(t, filepath.Join(t.TempDir(), "missing", "store.db"), fault.Unavailable)
	requireRefused(t, t.TempDir(), fault.Unavailable)
	requireRefused(t, "", fault.Invalid)
}

// TestDamaged: pages are overwritten behind the header, as a failing disk would.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := file(path).Open(t)
	b := store.Batch{Epoch: 1, Changes: environment.Changes{Environments: []environment.Record{
		{Name: "a", Description: strings.Repeat("long ", 10_000)}}}}
	require.NoError(t, s.Append(t.Context(), b))
	require.NoError(t, s.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 4096; i < len(content); i++ {
		content[i] = 0xAA
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))

	opened, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err == nil {
		_, err = opened.Environment(t.Context(), "a")
		require.NoError(t, opened.Close())
	}
	require.True(t, fault.Is(err, sqlite.Corrupt), "%v", err)
}

// TestPrivate: the files are their owner's, and nothing else is left in the folder.
func TestPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := file(path).Open(t)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Append(t.Context(), step(1)))
	found, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, found, 3)
	for _, entry := range found {
		info, err := entry.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), entry.Name())
	}
}

// TestOpenAtOnce: several processes may come upon a new file together.
func TestOpenAtOnce(t *testing.T) {
	path := string(newFile(t))
	var group sync.WaitGroup
	stores, errs := make([]*sqlite.Store, 8), make([]error, 8)
	for i := range stores {
		group.Go(func() { stores[i], errs[i] = sqlite.Open(context.Background(), sqlite.Options{Path: path}) })
	}
	group.Wait()
	for i, s := range stores {
		require.NoError(t, errs[i])
		require.NoError(t, s.Close())
	}
}
