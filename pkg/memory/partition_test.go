package memory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/memory"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

func open(t *testing.T) store.Store {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func entry(t *testing.T, p *memory.Partition, seq uint64, name string, b environment.Body) store.Entry {
	data, err := json.Marshal(b)
	require.NoError(t, err)
	e := store.Entry{Partition: p.Number, Seq: seq, Environment: name, Type: b.Type(), Time: time.Unix(int64(seq), 0).UTC(), Epoch: 1, Data: data}
	require.NoError(t, p.Take(t.Context(), e))
	return e
}

func write(t *testing.T, s store.Store, p *memory.Partition, entries ...store.Entry) {
	store.Chain(p.Chain, entries)
	b := store.Batch{Partition: p.Number, Epoch: 1, Entries: entries}
	require.NoError(t, p.Fill(&b))
	require.NoError(t, s.Append(t.Context(), b))
	p.Committed(b)
}

// TestLoadedIsWhatWasHeld: after any number of checkpoints, what is loaded is what was in memory.
func TestLoadedIsWhatWasHeld(t *testing.T) {
	s := open(t)
	p, err := memory.Load(t.Context(), s, 3)
	require.NoError(t, err)
	for i := range 50 {
		name := fmt.Sprintf("e%d", i%7)
		var entries []store.Entry
		for range 90 {
			var b environment.Body = environment.CommandRejected{CommandID: fmt.Sprint(i), Command: "c"}
			if len(entries) == 0 && i < 7 {
				b = environment.Created{Nodes: []environment.Node{{Address: "a", Type: environment.ResourceNode}}}
			}
			entries = append(entries, entry(t, p, p.Seq+uint64(len(entries))+1, name, b))
		}
		write(t, s, p, entries...)
		if i == 40 {
			write(t, s, p, entry(t, p, p.Seq+1, "e1", environment.StatusDestroyed{}))
		}
	}
	again, err := memory.Load(t.Context(), s, 3)
	require.NoError(t, err)
	require.Equal(t, p.Seq, again.Seq)
	require.Equal(t, p.Chain, again.Chain)
	for i := range 7 {
		name := fmt.Sprintf("e%d", i)
		require.Equal(t, snapshot(t, p, name), snapshot(t, again, name), name)
	}
}

func snapshot(t *testing.T, p *memory.Partition, name string) string {
	s, err := p.State(t.Context(), name)
	require.NoError(t, err)
	data, err := s.Snapshot()
	require.NoError(t, err)
	return string(data)
}

// ahead writes an entry behind the head that it has told.
type ahead struct {
	store.Store
	write func()
}

func (a ahead) Head(ctx context.Context, n int) (store.Head, error) {
	h, err := a.Store.Head(ctx, n)
	a.write()
	return h, err
}

func TestWhatIsWrittenWhileItIsLoaded(t *testing.T) {
	s := open(t)
	p, err := memory.Load(t.Context(), s, 0)
	require.NoError(t, err)
	write(t, s, p, entry(t, p, 1, "a", environment.CommandRejected{CommandID: "1"}))
	late, err := memory.Load(t.Context(), ahead{s, func() { write(t, s, p, entry(t, p, 2, "a", environment.CommandRejected{CommandID: "2"})) }}, 0)
	require.NoError(t, err)
	require.EqualValues(t, 2, late.Seq)
	require.Equal(t, p.Chain, late.Chain)
	require.NotEmpty(t, late.Chain)
}
