package history_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// TestEveryFactOfNothing: no fact takes down whoever reads an altered journal.
func TestEveryFactOfNothing(t *testing.T) {
	for _, b := range environment.Bodies() {
		data, err := json.Marshal(b)
		require.NoError(t, err)
		e := store.Entry{Partition: 1, Seq: 7, Environment: "notes", Type: b.Type(), Data: data}
		require.NotPanics(t, func() { err = history.Evolve(environment.NewState("notes"), e) })
		if err != nil {
			require.ErrorContains(t, err, "journal entry 7 of partition 1")
		}
	}
}
