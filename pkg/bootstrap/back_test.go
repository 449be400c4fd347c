package bootstrap_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// TestTakeBack: who has the key gets the store, as a whole; who has not, or shows a proof of another time, gets nothing.
func TestTakeBack(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 5 {
		e := store.Entry{Partition: 1, Seq: uint64(i + 1), Epoch: 1, Type: "cluster.promoted", Time: time.Unix(int64(i), 0).UTC(), Data: []byte(`{}`)}
		require.NoError(t, s.Append(t.Context(), store.Batch{Partition: 1, Epoch: 1, Entries: []store.Entry{e}}))
	}
	g := &bootstrap.Giver{Key: box(t, 1), Store: s, Export: backup.Export{Cluster: "c", Partitions: partitions}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "back.vivarium")

	_, err := bootstrap.TakeBack(t.Context(), nil, server.URL, box(t, 2), file)
	require.True(t, fault.Is(err, fault.Forbidden), "%v", err)
	g.Now = func() time.Time { return time.Now().Add(time.Hour) }
	_, err = bootstrap.TakeBack(t.Context(), nil, server.URL, box(t, 1), file)
	require.True(t, fault.Is(err, fault.Forbidden), "%v", err)
	require.ErrorContains(t, err, "clocks")
	require.NoFileExists(t, file)

	g.Now = nil
	sum, err := bootstrap.TakeBack(t.Context(), nil, server.URL, box(t, 1), file)
	require.NoError(t, err)
	require.EqualValues(t, 5, sum.Entries)
	f, err := os.Open(file)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	_, err = backup.Verify(t.Context(), f, s, nil)
	require.NoError(t, err, "it is what the store has")

	require.NoError(t, s.Close())
	_, err = bootstrap.TakeBack(t.Context(), nil, server.URL, box(t, 1), file)
	require.Error(t, err, "what is cut off is no store")
}

func TestNothingToTakeBack(t *testing.T) {
	address, _, _ := service(t, t.TempDir())
	_, err := bootstrap.TakeBack(t.Context(), nil, address, box(t, 1), filepath.Join(t.TempDir(), "f"))
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
}
