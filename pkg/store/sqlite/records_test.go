package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// TestRememberedIsNeverOld: whoever was told that a record is written reads it so, or newer, however many read it meanwhile.
func TestRememberedIsNeverOld(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db"), Alone: true})
	require.NoError(t, err)
	write := func(partition int, revision uint64) error {
		return s.Append(context.Background(), store.Batch{Partition: partition, Epoch: 1,
			Entries: []store.Entry{{Partition: partition, Seq: revision, Environment: "a", Data: []byte("{}")}},
			Changes: environment.Changes{Environments: []environment.Record{{Name: fmt.Sprint("e", partition), Revision: revision}}}})
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for i := range 6 {
		readers.Go(func() {
			for ctx.Err() == nil {
				_, _ = s.Environment(ctx, fmt.Sprint("e", i%3))
			}
		})
	}
	for p := range 3 {
		writers.Go(func() {
			for revision := uint64(1); revision <= 200; revision++ {
				err := write(p, revision)
				r, read := s.Environment(context.Background(), fmt.Sprint("e", p))
				if err != nil || read != nil || r.Revision != revision {
					t.Errorf("partition %d: %d was written, %d is read (%v, %v)", p, revision, r.Revision, err, read)
					return
				}
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	_, err = s.Environment(t.Context(), "none")
	require.ErrorIs(t, err, store.ErrNotFound)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = s.Environment(ended, "e1")
	require.Error(t, err)
	require.NoError(t, s.Close())
	_, err = s.Environment(t.Context(), "e1")
	require.Error(t, err, "a store that is closed answers nothing, not even what it remembers")
}
