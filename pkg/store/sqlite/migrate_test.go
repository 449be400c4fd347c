package sqlite_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// TestMigrateGraph: a file from before the graph answers the graph's questions about what was in it.
func TestMigrateGraph(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for i, name := range []string{"0001_store.sql", "0002_log_retention.sql"} {
		text, err := os.ReadFile(filepath.Join("migrations", name))
		require.NoError(t, err)
		if i == 0 {
			touch(t, path, "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT")
		}
		touch(t, path, string(text)+fmt.Sprintf("; INSERT INTO schema_version VALUES (%d, 'before')", i+1))
	}
	e := environment.Record{Name: "a", Status: environment.Deployed, Description: "Wiki of the team", Tags: []string{"team:a", "eu"},
		Templates: []environment.Template{{Name: "wiki", Version: "1.0.0", Hash: "h", Commit: "0123456789"}}}
	touch(t, path, "INSERT INTO environments (name, status, facets, data) VALUES ('a', 'deployed', 1, "+quoted(t, e)+")")
	for _, r := range []environment.ResourceRecord{
		{Node: environment.Node{Address: "net", Template: "wiki"}, Environment: "a", Status: environment.Deployed},
		{Node: environment.Node{Address: "app", Template: "wiki", DependsOn: []string{"net"}, Description: "Serves"}, Environment: "a"},
	} {
		touch(t, path, "INSERT INTO resources (environment, address, depends, data) VALUES ('a', '"+r.Address+"', 1, "+quoted(t, r)+")")
	}
	touch(t, path, "INSERT INTO edges VALUES ('a', 'app', 'net')")
	touch(t, path, "INSERT INTO operations (id, environment, started, data) VALUES ('op-1', 'a', 5, "+
		quoted(t, environment.OperationRecord{ID: "op-1", Environment: "a", RequestedBy: "/teams/a"})+")")

	s := file(path).Open(t)
	defer func() { require.NoError(t, s.Close()) }()
	reach, err := s.Walk(t.Context(), store.Walk{From: store.Ref{Environment: "a", Address: "net"}, Direction: store.Dependents})
	require.NoError(t, err)
	require.Len(t, reach.Vertices, 1)
	uses, _, err := s.Usage(t.Context(), store.Origin{Template: "wiki", Commit: "0123456"})
	require.NoError(t, err)
	require.Equal(t, []store.Use{{Environment: "a", Status: environment.Deployed, Template: e.Templates[0]}}, uses)
	for _, text := range []string{"wiki team", "eu", "serves"} {
		hits, err := s.Search(t.Context(), store.Search{Text: text})
		require.NoError(t, err)
		require.Len(t, hits, 1, text)
	}
	operations, _, err := s.Operations(t.Context(), "a", store.Page{})
	require.NoError(t, err)
	require.Equal(t, "/teams/a", operations[0].RequestedBy)
}

func quoted(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return "'" + string(text) + "'"
}
