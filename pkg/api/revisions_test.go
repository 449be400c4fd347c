package api

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/history"
)

func TestRevisionsArePagedAndHideSecrets(t *testing.T) {
	f := start(t, nil)
	for _, size := range []string{"1", "2"} {
		f.append("notes", environment.Changes{}, environment.Updated{Operation: "op-" + size, Given: []string{"size", "password"},
			Parameters: map[string]json.RawMessage{"size": json.RawMessage(size), "password": f.object("password")}})
	}
	all := read[wire.List[history.Revision]](f, "/environments/notes/revisions?limit=2")
	require.Len(t, all.Items, 2)
	require.JSONEq(t, "1", string(all.Items[1].Parameters["size"]))
	require.Contains(t, string(all.Items[1].Parameters["password"]), "(sensitive)")
	rest := read[wire.List[history.Revision]](f, "/environments/notes/revisions?limit=2&cursor="+all.Next)
	require.Len(t, rest.Items, 1)
	require.Equal(t, 3, rest.Items[0].Number)
	require.Empty(t, rest.Next)
	require.Empty(t, read[wire.List[history.Revision]](f, "/environments/notes/revisions?cursor=99").Items)
}
