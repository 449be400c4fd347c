package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// asideOf is a cut of entries of "a" and "b" behind the fifth, by which only "a" was there before.
func asideOf(partition int, last uint64) store.Cut {
	was := record("a")
	was.Status, was.Tags = environment.Deployed, []string{"before"}
	return store.Cut{
		Aside: store.Aside{ID: "3-6-e1", Partition: partition, First: 6, Last: last, Epoch: 1, Overtaken: 2, Time: start.UTC(), Primary: "west",
			Environments: []store.AsideEnvironment{{Name: "a", Entries: 3, Before: environment.Deployed, After: environment.Deploying}, {Name: "b", Entries: 1}},
			States:       []store.AsideState{{Environment: "a", Step: "x", Hash: "hash of late", Size: 4}}},
		Epoch: 2,
		Changes: environment.Changes{Created: []string{"a"}, Environments: []environment.Record{was},
			Resources: []environment.ResourceRecord{resource("a", "r1")}, Operations: []environment.OperationRecord{operation("a", "op-1", 1)}},
		Snapshots: []store.Snapshot{{Environment: "a", Partition: partition, Seq: 5, Data: []byte("a at 5")}},
		States:    []store.StepState{state("a", "y", "early")},
	}
}

// parted has ten entries in a partition, of which the last five are to be set aside, and one in another.
func parted(t *testing.T, s store.Store) (asides []store.Entry) {
	t.Helper()
	require.NoError(t, s.Append(t.Context(), batch(1, 1, 2, "z")))
	b := batch(3, 1, 5, "a")
	store.Chain("", b.Entries)
	b.Changes = environment.Changes{Environments: []environment.Record{record("a"), record("z")}, Resources: []environment.ResourceRecord{resource("a", "r1"), resource("z", "r1")},
		Operations: []environment.OperationRecord{operation("a", "op-1", 1), operation("z", "op-1", 1)}}
	b.States = []store.StepState{state("a", "x", "early"), state("a", "y", "early"), state("z", "x", "other")}
	require.NoError(t, s.Append(t.Context(), b))
	late := batch(3, 6, 5, "a")
	store.Chain(b.Entries[4].Chain, late.Entries)
	late.Changes = environment.Changes{Created: []string{"b"}, Environments: []environment.Record{record("b"), record("a")},
		Resources:  []environment.ResourceRecord{resource("a", "r1"), resource("a", "r2", "r1"), resource("b", "r1")},
		Operations: []environment.OperationRecord{operation("a", "op-2", 2), operation("b", "op-1", 2)}}
	late.States = []store.StepState{state("a", "x", "late"), state("a", "y", "early"), state("b", "x", "late")}
	late.Snapshots = []store.Snapshot{{Environment: "a", Partition: 3, Seq: 9, Data: []byte("a at 9")}, {Environment: "b", Partition: 3, Seq: 9, Data: []byte("b at 9")},
		{Environment: "z", Partition: 3, Seq: 9, Data: []byte("z")}}
	require.NoError(t, s.Append(t.Context(), late))
	require.NoError(t, s.Relayed(t.Context(), 3, 8))
	return late.Entries
}

// testAside: what is set aside is as it was, and nothing of it is anywhere else; what is not about it is as it was, too.
func testAside(t *testing.T, place Reopener) {
	s := opened(t, place)
	late := parted(t, s)
	found, err := s.Asides(t.Context())
	require.NoError(t, err)
	require.Empty(t, found)
	want := asideOf(3, 10)
	require.NoError(t, s.CutBack(t.Context(), want))
	require.NoError(t, s.CutBack(t.Context(), want), "a second time is harmless")
	requireCut(t, s, want, late)
	s = reopened(t, s, place)
	requireCut(t, s, want, late)

	next := batch(3, 6, 1, "a")
	require.ErrorIs(t, s.Append(t.Context(), next), store.ErrStaleEpoch)
	next.Epoch = 2
	require.NoError(t, s.Append(t.Context(), next))
	require.NoError(t, s.Relayed(t.Context(), 3, 6))
	head, err := s.Head(t.Context(), 3)
	require.NoError(t, err)
	require.EqualValues(t, 6, head.Seq)
	require.EqualValues(t, 6, head.Relayed)
}

func requireCut(t *testing.T, s store.Store, want store.Cut, late []store.Entry) {
	t.Helper()
	ctx := t.Context()
	found, err := s.Asides(ctx)
	require.NoError(t, err)
	require.Equal(t, []store.Aside{want.Aside}, found)
	entries, err := s.AsideEntries(ctx, want.Aside.ID, 0, 0)
	require.NoError(t, err)
	sameEntries(t, late, entries)
	entries, err = s.AsideEntries(ctx, want.Aside.ID, 7, 2)
	require.NoError(t, err)
	sameEntries(t, late[2:4], entries)
	kept, err := s.AsideState(ctx, want.Aside.ID, "a", "x")
	require.NoError(t, err)
	require.Equal(t, state("a", "x", "late"), kept)
	_, err = s.AsideState(ctx, want.Aside.ID, "b", "x")
	require.NoError(t, err)
	_, err = s.AsideState(ctx, want.Aside.ID, "z", "x")
	require.ErrorIs(t, err, store.ErrNotFound)

	head, err := s.Head(ctx, 3)
	require.NoError(t, err)
	require.EqualValues(t, 5, head.Seq)
	require.EqualValues(t, 5, head.Relayed)
	require.Len(t, read(t, s, all(3)), 5)
	require.Equal(t, head.Chain, read(t, s, all(3))[4].Chain)
	require.Len(t, read(t, s, all(1)), 2)
	requireStates(t, s, state("a", "y", "early"), state("z", "x", "other"))
	requireNoState(t, s, "a", "x")
	requireNoState(t, s, "b", "x")
	requireRecordsCut(t, s, want)
	epoch, err := s.Epoch(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, epoch)
}

func requireRecordsCut(t *testing.T, s store.Store, want store.Cut) {
	t.Helper()
	ctx := t.Context()
	_, err := s.Environment(ctx, "b")
	require.ErrorIs(t, err, store.ErrNotFound)
	a, err := s.Environment(ctx, "a")
	require.NoError(t, err)
	sameJSON(t, want.Changes.Environments[0], a)
	listed, _, err := s.Environments(ctx, store.Filter{})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "z"}, names(listed))
	listed, _, err = s.Environments(ctx, store.Filter{Tags: []string{"team:b"}})
	require.NoError(t, err)
	require.Empty(t, listed)
	resources, _, err := s.Resources(ctx, "a", store.Page{})
	require.NoError(t, err)
	require.Equal(t, []string{"r1"}, addresses(resources))
	operations, _, err := s.Operations(ctx, "a", store.Page{})
	require.NoError(t, err)
	require.Len(t, operations, 1)
	_, _, err = s.Operations(ctx, "b", store.Page{})
	require.ErrorIs(t, err, store.ErrNotFound)
	shots, err := s.Snapshots(ctx, 3, "")
	require.NoError(t, err)
	require.Equal(t, []store.Snapshot{{Environment: "a", Partition: 3, Seq: 5, Data: []byte("a at 5")}, {Environment: "z", Partition: 3, Seq: 5, Data: []byte("z")}}, shots)
}

// testAsideRefused: somebody else has written, or a higher epoch is in force; then nothing has happened.
func testAsideRefused(t *testing.T, place Reopener) {
	s := opened(t, place)
	parted(t, s)
	wrong := asideOf(3, 9)
	require.ErrorIs(t, s.CutBack(t.Context(), wrong), store.ErrConflict)
	require.NoError(t, s.Append(t.Context(), store.Batch{Partition: 1, Epoch: 7}))
	require.ErrorIs(t, s.CutBack(t.Context(), asideOf(3, 10)), store.ErrStaleEpoch)
	backwards := asideOf(3, 10)
	backwards.Aside.First = 11
	require.Error(t, s.CutBack(t.Context(), backwards))
	found, err := s.Asides(t.Context())
	require.NoError(t, err)
	require.Empty(t, found)
	require.Len(t, read(t, s, all(3)), 10)
	requireStates(t, s, state("a", "x", "late"), state("b", "x", "late"))
}

// testAsideWhole: a journal that has nothing in common with the other one begins anew.
func testAsideWhole(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 3, "a")))
	at := time.Unix(1, 0).UTC()
	require.NoError(t, s.CutBack(t.Context(), store.Cut{Epoch: 1, Aside: store.Aside{ID: "all", First: 1, Last: 3, Time: at,
		Environments: []store.AsideEnvironment{{Name: "a", Entries: 3}}}}))
	head, err := s.Head(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, store.Head{}, head)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 2, "b")))
	require.Len(t, read(t, s, all(0)), 2)
}
