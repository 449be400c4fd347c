package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// testChain: what a chain is made of comes back as it was, to the last byte, so that it can be checked.
func testChain(t *testing.T, place Reopener) {
	s := opened(t, place)
	before := batch(2, 1, 2, "a") // from before there were chains
	require.NoError(t, s.Append(t.Context(), before))
	head, err := s.Head(t.Context(), 2)
	require.NoError(t, err)
	require.Empty(t, head.Chain)

	chained := batch(2, 3, 40, "a")
	chained.Entries[3].Data = []byte(`{ "spaces" : "<\u003c>",  "number": 1.50 }`)
	store.Chain("", chained.Entries)
	require.NoError(t, s.Append(t.Context(), chained))
	s = reopened(t, s, place)
	last := ""
	for _, e := range read(t, s, store.Selection{Partition: 2, After: 2}) {
		require.Equal(t, store.Link(last, e), e.Chain, "entry %d", e.Seq)
		last = e.Chain
	}
	head, err = s.Head(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, store.Head{Partition: 2, Seq: 42, Chain: last}, head)
	for _, e := range read(t, s, store.Selection{Partition: 2})[:2] {
		require.Empty(t, e.Chain)
		require.Equal(t, store.Mark(before.Entries[e.Seq-1]), store.Mark(e))
	}
}
