package orchestrator

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func TestEveryCommandHasAReader(t *testing.T) {
	require.ElementsMatch(t, event.Commands(), slices.Collect(maps.Keys(readers)))
}
