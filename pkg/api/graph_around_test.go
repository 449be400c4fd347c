package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func TestGraphWithTheEnvironmentsAround(t *testing.T) {
	wall := environment.ResourceRecord{Node: environment.Node{Address: "house.noop.wall", Consumes: []environment.Consumption{
		{Environment: "net", Output: "vpc", Resources: []string{"net.noop.vpc"}}, {Environment: "later", Output: "x"}}}}
	g := graphOf(environment.Record{Name: "house"}, []environment.ResourceRecord{wall})
	own := store.Ref{Environment: "house", Address: "house.noop.wall"}
	require.Equal(t, []store.Edge{
		{From: own, To: store.Ref{Environment: "net", Address: "net.noop.vpc"}, Kind: store.Consumes, Output: "vpc"},
		{From: own, To: store.Ref{Environment: "later"}, Kind: store.Consumes, Output: "x"},
	}, g.Around)
	g.Around = append(g.Around, store.Edge{From: store.Ref{Environment: "garden", Address: "garden.noop.fence"}, To: own, Kind: store.Consumes, Output: "door"})
	text := pictureOf(g).dot()
	require.NoError(t, dotStructure(text))
	require.Contains(t, text, `label="environment net"`)
	require.Contains(t, text, `label="environment garden"`)
	require.Equal(t, 3, strings.Count(text, " -> "))
	require.Contains(t, text, `n3 -> n0`)
}
