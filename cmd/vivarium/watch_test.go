package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/client"
)

// TestLinesComeInTheOrderOfTheJournal: also of an operation that is over when somebody begins to look.
func TestLinesComeInTheOrderOfTheJournal(t *testing.T) {
	r := serve(t, t.TempDir(), catalogue(t), "--primary")
	r.command(t, exitOK, "env", "create", "one", "--template", "hello", "--wait")
	found, err := findServer(r.dir)
	require.NoError(t, err)
	api := client.NewAPI(found.API, nil)
	record, err := api.Environment(t.Context(), "one")
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = newFake(nil).watch(t.Context(), api, "one", record.Operation, &out)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^ +\S+ +pending +one\n.* deploying +one\n.* complete +action\.greet.* deployed +one\n$`, out.String())
	require.NotRegexp(t, `(?s)deployed.*deploying`, out.String())
}
