package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// picture is all that readers see of a store.
func picture(t testing.TB, partitions int, s store.Store) string {
	t.Helper()
	ctx, all := t.Context(), map[string]any{}
	put := func(key string, v any, err error) {
		require.NoError(t, err)
		all[key] = v
	}
	for p := range partitions {
		entries, err := s.Entries(ctx, store.Selection{Partition: p, Limit: 10_000})
		put(fmt.Sprint("journal ", p), entries, err)
		head, err := s.Head(ctx, p)
		put(fmt.Sprint("head ", p), head, err)
	}
	epoch, err := s.Epoch(ctx)
	put("epoch", epoch, err)
	environments, _, err := s.Environments(ctx, store.Filter{})
	put("environments", environments, err)
	hits, err := s.Search(ctx, store.Search{Text: "n0"})
	put("hits", len(hits), err)
	uses, _, err := s.Usage(ctx, store.Origin{Template: "notes"})
	put("uses", uses, err)
	for _, e := range environments {
		one(t, s, e, put)
		for _, template := range e.Templates {
			found, err := s.Template(ctx, template.Hash)
			put("template "+template.Hash, []any{found, found.Archive}, err)
		}
	}
	text, err := json.MarshalIndent(all, "", " ")
	require.NoError(t, err)
	return string(text)
}

// Same compares all that readers see of two stores, and says what is the first thing that differs.
func Same(t testing.TB, partitions int, want, got store.Store) {
	t.Helper()
	a, b := strings.Split(picture(t, partitions, want), "\n"), strings.Split(picture(t, partitions, got), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			from := max(0, i-10)
			require.Equal(t, strings.Join(a[from:min(i+5, len(a))], "\n"), strings.Join(b[from:min(i+5, len(b))], "\n"))
		}
	}
	require.Len(t, b, len(a))
}

func one(t testing.TB, s store.Store, e environment.Record, put func(string, any, error)) {
	t.Helper()
	ctx, name := t.Context(), e.Name
	for _, r := range e.Retained {
		state, err := s.State(ctx, name, r.ID())
		put("state of what "+name+" has left: "+r.ID(), state, unlessMissing(err))
	}
	resources, _, err := s.Resources(ctx, name, store.Page{Limit: -1})
	for _, r := range resources {
		reach, err := s.Walk(ctx, store.Walk{From: store.Ref{Environment: name, Address: r.Address}, Direction: store.Dependents})
		put("dependents of "+name+" "+r.Address, reach, err)
		state, err := s.State(ctx, name, r.ID())
		put("state of "+name+" "+r.Address, state, unlessMissing(err))
	}
	put("resources of "+name, resources, err)
	operations, _, err := s.Operations(ctx, name, store.Page{})
	put("operations of "+name, operations, err)
	lines, err := s.ReadLogs(ctx, store.LogSelection{Environment: name})
	put("lines of "+name, lines, err)
}

func unlessMissing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
