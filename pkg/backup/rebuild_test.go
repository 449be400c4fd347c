package backup_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func rebuilt(t *testing.T, s store.Store, look bool) backup.Rebuilt {
	t.Helper()
	r, err := backup.Rebuild(t.Context(), s, partitions, look, nil)
	require.NoError(t, err)
	return r
}

// TestRebuiltIsTheKeptOne: whatever was written batch by batch is what the journal says.
func TestRebuiltIsTheKeptOne(t *testing.T) {
	st := lived(t)
	r := rebuilt(t, st.store, false)
	require.Empty(t, r.Differences)
	require.Equal(t, 4, r.Environments)
	require.Equal(t, 10, r.Resources)
	require.Equal(t, 7, r.Operations)
	require.Zero(t, r.Repaired)
}

func TestRebuildMends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	st := newStage(t, open(t, path))
	st.live()
	whole := newStage(t, fresh(t))
	whole.live()
	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	for _, damage := range []string{
		"DELETE FROM environments WHERE name = 'n3'",
		"DELETE FROM resources WHERE environment = 'n0' AND address = 'b'",
		"UPDATE resources SET data = json_set(data, '$.status', 'failed') WHERE environment = 'n0' AND address = 'c'",
		"DELETE FROM edges WHERE environment = 'n0' AND source = 'c' AND target = 'a'",
		"DELETE FROM operations WHERE environment = 'n1' AND id = 'op-1'",
		"INSERT INTO resources (environment, address, depends, data) SELECT environment, 'ghost', 0, json_set(data, '$.address', 'ghost') FROM resources WHERE environment = 'n2'",
	} {
		done, err := db.ExecContext(t.Context(), damage)
		require.NoError(t, err)
		n, err := done.RowsAffected()
		require.NoError(t, err)
		require.EqualValues(t, 1, n, damage)
	}
	require.NoError(t, db.Close())
	want := []backup.Difference{
		{Environment: "n0", What: "edges of b", How: "missing"}, {Environment: "n0", What: "edges of c", How: "changed"},
		{Environment: "n0", What: "resource b", How: "missing"}, {Environment: "n0", What: "resource c", How: "changed"},
		{Environment: "n2", What: "resource ghost", How: "unknown"},
		{Environment: "n3", What: "environment", How: "missing"},
		{Environment: "n1", What: "operation op-1", How: "missing"},
	}
	looked := rebuilt(t, st.store, true)
	require.ElementsMatch(t, want, looked.Differences)
	require.Zero(t, looked.Repaired)
	mended := rebuilt(t, st.store, false)
	require.ElementsMatch(t, want, mended.Differences)
	require.Equal(t, 4, mended.Repaired)
	require.Empty(t, rebuilt(t, st.store, false).Differences)
	samePicture(t, whole.store, st.store)
}
