package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// walk reads a list to its end, page by page, and calls between after each page that is not the last.
func walk[T any](t *testing.T, limit int, list func(store.Page) ([]T, string, error), between func()) []T {
	t.Helper()
	var found []T
	for p := (store.Page{Limit: limit}); ; {
		got, cursor, err := list(p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(got), limit)
		found = append(found, got...)
		if cursor == "" {
			return found
		}
		require.NotEmpty(t, got, "a page that has a next one is not empty")
		require.NotEqual(t, p.Cursor, cursor, "the list has to go on")
		p.Cursor = cursor
		if between != nil {
			between()
		}
	}
}

func listEnvironments(t *testing.T, s store.Store, f store.Filter) func(store.Page) ([]environment.Record, string, error) {
	return func(p store.Page) ([]environment.Record, string, error) {
		f.Page = p
		return s.Environments(t.Context(), f)
	}
}

// many makes environments e0000, e0001, ... in no order.
func many(t *testing.T, j *journal, count int) (want []string) {
	t.Helper()
	var records []environment.Record
	for i := range count {
		name := numbered("e", (i*7919)%count)
		records = append(records, record(name))
		want = append(want, name)
	}
	j.environments(t, records...)
	slices.Sort(want)
	return want
}

func testEnvironmentPages(t *testing.T, place Reopener) {
	s := opened(t, place)
	want := many(t, &journal{store: s}, 1009)
	for _, limit := range []int{97, 1000, 1009, 5000} {
		require.Equal(t, want, names(walk(t, min(limit, 1009), listEnvironments(t, s, store.Filter{}), nil)))
		got, cursor, err := s.Environments(t.Context(), store.Filter{Page: store.Page{Limit: limit}})
		require.NoError(t, err)
		require.Len(t, got, min(limit, 1000), "a page has at most 1000")
		require.NotEmpty(t, cursor)
	}
	got, _, err := s.Environments(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Len(t, got, 100, "no limit takes 100")
}

func testResourcePages(t *testing.T, place Reopener) {
	s := opened(t, place)
	var c environment.Changes
	var want []string
	for i := range 1234 {
		address := numbered("n.noop.x", (i*577)%1234)
		c.Resources = append(c.Resources, resource("a", address))
		want = append(want, address)
	}
	slices.Sort(want)
	c.Created = []string{"a"}
	c.Environments = []environment.Record{record("a"), record("b")}
	c.Resources = append(c.Resources, resource("b", "only"))
	(&journal{store: s}).change(t, c)
	list := func(p store.Page) ([]environment.ResourceRecord, string, error) {
		return s.Resources(t.Context(), "a", p)
	}
	require.Equal(t, want, addresses(walk(t, 100, list, nil)))
	require.Equal(t, want, addresses(walk(t, 617, list, nil)), "two full pages")
	got, cursor, err := list(store.Page{Limit: -1})
	require.NoError(t, err)
	require.Empty(t, cursor)
	require.Equal(t, want, addresses(got))
	got, cursor, err = list(store.Page{Limit: 9999})
	require.NoError(t, err)
	require.NotEmpty(t, cursor)
	require.Len(t, got, 1000)
}

func testOperationPages(t *testing.T, place Reopener) {
	s := opened(t, place)
	c := environment.Changes{Environments: []environment.Record{record("a"), record("b")}}
	var want []string
	for i := range 25 {
		// The ids are in another order than the times; pairs have the same time.
		id := numbered("o", (i*7)%25)
		c.Operations = append(c.Operations, operation("a", id, i/2))
		want = append(want, id)
	}
	c.Operations = append(c.Operations, operation("b", "other", 3))
	(&journal{store: s}).change(t, c)
	for _, limit := range []int{1, 4, 25, 100} {
		got := walk(t, limit, func(p store.Page) ([]environment.OperationRecord, string, error) {
			return s.Operations(t.Context(), "a", p)
		}, nil)
		var ids []string
		for i, o := range got {
			ids = append(ids, o.ID)
			require.False(t, i > 0 && o.StartedAt.After(got[i-1].StartedAt), "the newest come first")
		}
		require.ElementsMatch(t, want, ids)
	}
}

// testCursorChanges: what was there all the time is listed once, whatever comes, goes and changes meanwhile.
func testCursorChanges(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	want := many(t, j, 40)
	round := 0
	between := func() {
		round++
		changed := record(want[(round*13)%len(want)])
		changed.Status, changed.Revision = environment.Deployed, uint64(round)
		j.environments(t, record(numbered("a", round)), record(numbered("e0020-", round)), record(numbered("z", round)), changed)
	}
	stays := func(name string) bool { return slices.Contains(want, name) }
	got := names(walk(t, 7, listEnvironments(t, s, store.Filter{}), between))
	require.True(t, slices.IsSorted(got))
	require.Equal(t, want, slices.DeleteFunc(slices.Clone(got), func(n string) bool { return !stays(n) }))
	require.Len(t, slices.Compact(got), len(got), "nothing is listed twice")

	// The record that a cursor stands on leaves the list; the list goes on behind it.
	f := store.Filter{Statuses: []environment.Status{environment.Deploying}, Page: store.Page{Limit: 3}}
	first, cursor, err := s.Environments(t.Context(), f)
	require.NoError(t, err)
	gone := first[2]
	gone.Status = environment.Destroyed
	j.environments(t, gone)
	f.Cursor = cursor
	second, _, err := s.Environments(t.Context(), f)
	require.NoError(t, err)
	require.Greater(t, second[0].Name, gone.Name)

	// Cursors survive a restart.
	s = reopened(t, s, place)
	same, _, err := s.Environments(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, names(second), names(same))
}

func testCursorTampered(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	j.change(t, environment.Changes{
		Environments: []environment.Record{record("a"), record("b"), record("c")},
		Resources: []environment.ResourceRecord{
			resource("a", "x"), resource("a", "y"), resource("a", "z"), resource("b", "x"), resource("b", "y"),
		},
		Operations: []environment.OperationRecord{operation("a", "o1", 1), operation("a", "o2", 2), operation("a", "o3", 3)},
	})
	lists := map[string]func(store.Page) (string, error){
		"environments": func(p store.Page) (string, error) {
			_, next, err := s.Environments(t.Context(), store.Filter{Page: p})
			return next, err
		},
		"environments filtered": func(p store.Page) (string, error) {
			_, next, err := s.Environments(t.Context(), store.Filter{Text: "what", Page: p})
			return next, err
		},
		"resources of a": func(p store.Page) (string, error) {
			_, next, err := s.Resources(t.Context(), "a", p)
			return next, err
		},
		"resources of b": func(p store.Page) (string, error) {
			_, next, err := s.Resources(t.Context(), "b", p)
			return next, err
		},
		"operations": func(p store.Page) (string, error) {
			_, next, err := s.Operations(t.Context(), "a", p)
			return next, err
		},
	}
	for name, list := range lists {
		cursor, err := list(store.Page{Limit: 1})
		require.NoError(t, err, name)
		require.NotEmpty(t, cursor, name)
		_, err = list(store.Page{Limit: 1, Cursor: cursor})
		require.NoError(t, err, name)
		for other, foreign := range lists {
			if other != name {
				_, err := foreign(store.Page{Limit: 1, Cursor: cursor})
				require.ErrorIs(t, err, store.ErrCursor, "a cursor of %s for %s", name, other)
			}
		}
		for _, bad := range tampered(cursor) {
			_, err := list(store.Page{Limit: 1, Cursor: bad})
			require.ErrorIs(t, err, store.ErrCursor, "%s: %q", name, bad)
		}
	}
}

// tampered makes cursors that no store gave.
func tampered(cursor string) []string {
	bad := []string{"x", "a", " ", "%", "'; DROP TABLE environments", "\x00", "🙂", cursor + "A", cursor + " ", "\n" + cursor,
		cursor[:len(cursor)-1], cursor[1:], strings.Repeat("A", 10_000), strings.Repeat("A", 64)}
	// The last letter may have bits that no byte is made of.
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=" {
		if changed := cursor[:len(cursor)-1] + string(last); changed != cursor {
			bad = append(bad, changed)
		}
	}
	for i := range cursor {
		changed := []byte(cursor)
		changed[i] = 'A'
		if cursor[i] == 'A' {
			changed[i] = 'B'
		}
		bad = append(bad, string(changed))
	}
	return bad
}
