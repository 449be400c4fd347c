package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

func TestReferencesAndMoments(t *testing.T) {
	require.Equal(t, store.Ref{Environment: "a", Address: `n.x.y["b/c"]`}, refOf(`a/n.x.y["b/c"]`))
	require.Equal(t, store.Ref{Environment: "a"}, refOf("a"))
	require.Equal(t, "a/b", refText(store.Ref{Environment: "a", Address: "b"}))
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"15m": now.Add(-15 * time.Minute), "2026-01-01T00:00:00Z": now.Add(-27 * time.Hour)} {
		got, err := momentOf(text, now)
		require.NoError(t, err)
		require.True(t, want.Equal(got), text)
	}
	for _, bad := range []string{"", "yesterday", "-5m", "2026-01-01"} {
		_, err := momentOf(bad, now)
		require.Error(t, err, bad)
	}
}
