package storetest

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func testFilterHealth(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	degraded, healthy := record("degraded"), record("healthy")
	degraded.Health, degraded.Drifted = &environment.HealthSummary{Status: environment.Degraded, Unhealthy: 1}, 2
	healthy.Health = &environment.HealthSummary{Status: "healthy", Healthy: 1}
	j.environments(t, degraded, healthy, record("unwatched"))
	yes, no := true, false
	of := func(f store.Filter) string { return listed(t, s, f) }
	require.Equal(t, "degraded", of(store.Filter{Health: []string{environment.Degraded}}))
	require.Equal(t, "degraded healthy", of(store.Filter{Health: []string{"healthy", environment.Degraded, "healthy"}}))
	require.Empty(t, of(store.Filter{Health: []string{"unknown"}}))
	require.Empty(t, of(store.Filter{Health: []string{"' OR 1=1 --"}}))
	require.Equal(t, "degraded", of(store.Filter{Drifted: &yes}))
	require.Equal(t, "healthy unwatched", of(store.Filter{Drifted: &no}))
	require.Equal(t, "healthy", of(store.Filter{Drifted: &no, Tags: []string{"team:healthy"}, Text: "what"}))
	degraded.Health.Status, degraded.Drifted = "healthy", 0
	j.environments(t, degraded)
	require.Empty(t, of(store.Filter{Drifted: &yes}))
	require.Equal(t, "degraded healthy", of(store.Filter{Health: []string{"healthy"}}))
}

// testDescriptions: a record of which nothing changes but its description is found by the new one only.
func testDescriptions(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	e, r := record("a"), resource("a", "x")
	e.Description, r.Description = "first", "first"
	j.change(t, environment.Changes{Created: []string{"a"}, Environments: []environment.Record{e}, Resources: []environment.ResourceRecord{r}})
	e.Description, r.Description = "second", "second"
	j.change(t, environment.Changes{Environments: []environment.Record{e}, Resources: []environment.ResourceRecord{r}})
	require.Eventually(t, func() bool {
		before, err := s.Search(t.Context(), store.Search{Text: "first"})
		require.NoError(t, err)
		now, err := s.Search(t.Context(), store.Search{Text: "second"})
		require.NoError(t, err)
		return len(before) == 0 && len(now) == 2
	}, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, "a", listed(t, s, store.Filter{Text: "second"}))
	require.Empty(t, listed(t, s, store.Filter{Text: "first"}))
}

// sortable are environments with equal and with different values of all that they are sorted by.
func sortable(count int) []environment.Record {
	var records []environment.Record
	for i := range count {
		r := record(numbered("e", (i*7)%count))
		r.Status = environment.Statuses()[(i*5)%len(environment.Statuses())]
		r.CreatedAt = start.UTC().Add(time.Duration((i*11)%9) * time.Hour)
		r.UpdatedAt = r.CreatedAt.Add(time.Duration((i*3)%7) * time.Microsecond)
		records = append(records, r)
	}
	records[0].CreatedAt, records[0].UpdatedAt = time.Time{}, time.Time{}
	return records
}

func inOrder(sort store.Sort, records []environment.Record) []string {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b environment.Record) int {
		by := 0
		switch sort.By {
		case store.ByStatus:
			by = cmp.Compare(a.Status, b.Status)
		case store.ByCreatedAt:
			by = a.CreatedAt.Compare(b.CreatedAt)
		case store.ByUpdatedAt:
			by = a.UpdatedAt.Compare(b.UpdatedAt)
		}
		by = cmp.Or(by, cmp.Compare(a.Name, b.Name))
		if sort.Descending {
			return -by
		}
		return by
	})
	return names(records)
}

func sorts() []store.Sort {
	all := []store.Sort{{}}
	for _, by := range store.Orders() {
		all = append(all, store.Sort{By: by}, store.Sort{By: by, Descending: true})
	}
	return all
}

func testSorted(t *testing.T, place Reopener) {
	s := opened(t, place)
	records := sortable(40)
	(&journal{store: s}).environments(t, records...)
	var cursors []string
	for _, sort := range sorts() {
		for _, limit := range []int{3, 40, 1000} {
			require.Equal(t, inOrder(sort, records), names(walk(t, limit, listEnvironments(t, s, store.Filter{Sort: sort}), nil)), "%+v by %d", sort, limit)
		}
		f := store.Filter{Sort: sort, Text: "what", Tags: []string{"team:e0003"}, Statuses: environment.Statuses(), Template: "notes"}
		require.Equal(t, []string{"e0003"}, names(walk(t, 2, listEnvironments(t, s, f), nil)))
		_, cursor, err := s.Environments(t.Context(), store.Filter{Sort: sort, Page: store.Page{Limit: 1}})
		require.NoError(t, err)
		cursors = append(cursors, cursor)
	}
	for i, sort := range sorts()[1:] {
		for other, cursor := range cursors[1:] {
			_, _, err := s.Environments(t.Context(), store.Filter{Sort: sort, Page: store.Page{Cursor: cursor}})
			require.Equal(t, i != other, err != nil, "a cursor belongs to its order")
		}
	}
	_, _, err := s.Environments(t.Context(), store.Filter{Sort: store.Sort{By: "name; DROP TABLE environments"}})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
}

// testSortedChanges: those whose sorted value stays are listed once, in their order, whatever comes, goes and changes meanwhile.
func testSortedChanges(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	for n, sort := range sorts() {
		tag := numbered("round", n)
		records := sortable(30)
		for i := range records {
			records[i].Name, records[i].Tags = tag+records[i].Name, []string{tag}
		}
		j.environments(t, records...)
		still, moving := records[:25], records[25:]
		round := 0
		between := func() {
			round++
			moved := moving[round%len(moving)]
			moved.Status = environment.Statuses()[round%len(environment.Statuses())]
			moved.CreatedAt = start.UTC().Add(time.Duration(round*5%11) * time.Hour)
			moved.UpdatedAt = start.UTC().Add(time.Duration(round*13%11) * time.Hour)
			told := still[round%len(still)]
			told.Description, told.Revision = "told anew", uint64(round)
			fresh := record(tag + numbered("fresh", round))
			fresh.Tags, fresh.CreatedAt = []string{tag}, start.UTC().Add(time.Duration(round*7%9)*time.Hour)
			j.environments(t, moved, told, fresh)
		}
		got := names(walk(t, 4, listEnvironments(t, s, store.Filter{Sort: sort, Tags: []string{tag}}), between))
		want := inOrder(sort, still)
		got = slices.DeleteFunc(got, func(n string) bool { return !slices.Contains(want, n) })
		require.Equal(t, want, got, "%+v", sort)
	}
}
