package bootstrap_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

const partitions = 4

func box(t *testing.T, first byte) *secret.Box {
	t.Helper()
	key := make([]byte, secret.KeySize)
	key[0] = first
	b, err := secret.NewBox(key)
	require.NoError(t, err)
	return b
}

func open(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "store.db"), Alone: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// export is a store with some entries, and its checksum.
func export(t *testing.T, entries int) ([]byte, string) {
	t.Helper()
	s := open(t, t.TempDir())
	for i := range entries {
		e := store.Entry{Partition: 1, Seq: uint64(i + 1), Epoch: 1, Type: "cluster.promoted", Time: time.Unix(int64(i), 0).UTC(), Data: []byte(`{}`)}
		require.NoError(t, s.Append(t.Context(), store.Batch{Partition: 1, Epoch: 1, Entries: []store.Entry{e}}))
	}
	var out bytes.Buffer
	sum, err := backup.Export{Cluster: "c", Partitions: partitions, Now: time.Unix(0, 0)}.Write(t.Context(), s, &out)
	require.NoError(t, err)
	return out.Bytes(), sum.SHA256
}

// service waits for a store in a folder.
func service(t *testing.T, dir string) (address string, done chan struct{}, into store.Store) {
	done, into = make(chan struct{}, 1), open(t, dir)
	server := httptest.NewServer(&bootstrap.Receiver{Key: box(t, 1), Dir: dir, Store: into, Partitions: partitions, Done: func() { done <- struct{}{} }})
	t.Cleanup(server.Close)
	return server.URL, done, into
}

func TestHandover(t *testing.T) {
	file, sum := export(t, 3)
	dir := t.TempDir()
	address, done, into := service(t, dir)
	w, err := bootstrap.Ask(t.Context(), nil, address)
	require.NoError(t, err)
	require.Equal(t, bootstrap.Waiting{Awaiting: true, KeyID: box(t, 1).ID(), Partitions: partitions}, w)

	_, err = bootstrap.Send(t.Context(), nil, address, box(t, 2), sum, bytes.NewReader(file))
	require.True(t, fault.Is(err, fault.Exists), "somebody else's service is told nothing: %v", err)
	_, err = bootstrap.Send(t.Context(), nil, address, box(t, 1), sum, bytes.NewReader(file[:len(file)/2]))
	require.Error(t, err, "what is cut off is refused")
	_, other := export(t, 2)
	_, err = bootstrap.Send(t.Context(), nil, address, box(t, 1), other, bytes.NewReader(file))
	require.ErrorContains(t, err, "another checksum")
	head, err := into.Head(t.Context(), 1)
	require.NoError(t, err)
	require.Zero(t, head.Seq, "nothing was written so far")
	handed, err := bootstrap.WasHanded(dir)
	require.NoError(t, err)
	require.False(t, handed)
	require.Empty(t, done)

	h, err := bootstrap.Send(t.Context(), nil, address, box(t, 1), sum, bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, sum, h.SHA256)
	require.EqualValues(t, 3, h.Entries)
	<-done
	_, err = backup.Verify(context.Background(), bytes.NewReader(file), into, nil)
	require.NoError(t, err)
	handed, err = bootstrap.WasHanded(dir)
	require.NoError(t, err)
	require.True(t, handed)
	left, err := filepath.Glob(filepath.Join(dir, "*.part"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestAHandoverThatWasCutOffIsDoneAgain: the service was killed when a part was written.
func TestAHandoverThatWasCutOffIsDoneAgain(t *testing.T) {
	file, sum := export(t, 3)
	part, _ := export(t, 2)
	dir := t.TempDir()
	address, done, into := service(t, dir)
	_, err := backup.Import{Partitions: partitions}.Read(t.Context(), bytes.NewReader(part), into)
	require.NoError(t, err)
	_, err = bootstrap.Send(t.Context(), nil, address, box(t, 1), sum, bytes.NewReader(file))
	require.NoError(t, err)
	<-done
}

func TestNobodyIsThere(t *testing.T) {
	server := httptest.NewServer(nil)
	_, err := bootstrap.Ask(t.Context(), nil, server.URL)
	require.True(t, fault.Is(err, fault.NotFound), "a server that has a store does not wait for one: %v", err)
	server.Close()
	_, err = bootstrap.Ask(t.Context(), nil, server.URL)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
}
