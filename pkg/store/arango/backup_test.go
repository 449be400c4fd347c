package arango

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

func TestThereAndBackOnStandIn(t *testing.T) { thereAndBack(t, place{newStandIn(t).options()}) }

func TestThereAndBack(t *testing.T) { thereAndBack(t, place{freshDatabase(t, realServer(t), 0)}) }

func file(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// thereAndBack moves what SQLite has to ArangoDB and into another SQLite, where it is the same.
func thereAndBack(t *testing.T, p place) {
	from, back := file(t), file(t)
	fill(t, from)
	there := p.Open(t)
	defer func() { require.NoError(t, there.Close()) }()
	for _, way := range []struct{ from, to store.Store }{{from, there}, {there, back}} {
		var moved bytes.Buffer
		written, err := backup.Export{Cluster: "c", Partitions: 2}.Write(t.Context(), way.from, &moved)
		require.NoError(t, err)
		require.EqualValues(t, 1, written.Templates)
		_, err = backup.Import{Partitions: 2}.Read(t.Context(), bytes.NewReader(moved.Bytes()), way.to)
		require.NoError(t, err)
		_, err = backup.Verify(t.Context(), bytes.NewReader(moved.Bytes()), from, nil)
		require.NoError(t, err)
		found, err := backup.Rebuild(t.Context(), way.to, 2, false, nil)
		require.NoError(t, err)
		require.Empty(t, found.Differences)
		require.Equal(t, 1, found.Environments)
	}
}

// fill writes a small journal with its projection.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	used := environment.Template{Name: "notes", Version: "1.0.0", Hash: "h"}
	at, fold, b := time.Unix(1_700_000_000, 1).UTC(), history.NewFold(), store.Batch{Partition: 1, Epoch: 3}
	node := func(address string, depends ...string) environment.Node {
		return environment.Node{Address: address, Type: environment.ResourceNode, Executor: "x", DependsOn: depends}
	}
	for i, body := range []environment.Body{
		environment.Created{CommandID: "c", Operation: "op-1", Templates: []environment.Template{used}, Parallelism: 1, Epoch: 3,
			Nodes: []environment.Node{node("a"), node("b", "a")}},
		environment.StatusDeploying{Operation: "op-1"},
		environment.StepWaiting{Operation: "op-1", Step: "a", Verb: "apply", Attempt: 1, Inputs: json.RawMessage(`{"n":12345678901234567890}`)},
	} {
		data, err := json.Marshal(body)
		require.NoError(t, err)
		e := store.Entry{Partition: 1, Seq: uint64(i + 1), Environment: "one", Type: body.Type(), Time: at, Epoch: 3, Data: data}
		require.NoError(t, fold.Add(e))
		b.Entries = append(b.Entries, e)
	}
	require.NoError(t, fold.Changes(func(c environment.Changes) error { b.Changes = c; return nil }))
	b.Templates = []store.TemplateRecord{{Template: used, Archive: []byte{0, 255}}}
	require.NoError(t, s.Append(t.Context(), b))
}
