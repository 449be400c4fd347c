package arango

import (
	"context"
	"fmt"

	"github.com/arangodb/go-driver/v2/arangodb"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// cutting are the collections that a cut may write to.
var cutting = arangodb.TransactionCollections{Write: append([]string{"relays", "asides", "aside_entries", "aside_states"}, written.Write...)}

// sortable is a time as text that sorts as the times do.
const sortable = "2006-01-02T15:04:05.000000000Z"

// CutBack sets entries aside, and takes the journal back, in one stream transaction.
func (s *Store) CutBack(ctx context.Context, in store.Cut) error {
	a := in.Aside
	if a.First == 0 || a.Last < a.First || a.Last > maxSeq {
		return fault.New(fault.GiveUp, fault.Invalid, "there are no entries %d to %d to be set aside", a.First, a.Last)
	}
	b := store.Batch{Partition: a.Partition, Epoch: in.Epoch, Changes: in.Changes, Snapshots: in.Snapshots, States: in.States}
	if err := check(b); err != nil {
		return err
	}
	ready, err := newBatch(b)
	if err != nil {
		return err
	}
	data, err := encode(a)
	if err != nil {
		return err
	}
	err = s.retry(ctx, func(ctx context.Context) error {
		return s.inTransaction(ctx, cutting, func(t arangodb.Transaction) error { return ready.cut(ctx, t, a, data) })
	})
	if err == nil {
		s.relays.Lower(a.Partition, a.First-1)
		s.watchers.Notify()
	}
	return plain(err)
}

// cut does the whole of it, unless it is done: also by an attempt whose answer was lost.
func (b *batch) cut(ctx context.Context, t arangodb.Transaction, a store.Aside, data string) error {
	if _, done, err := first[bool](ctx, t, "exists", binds{"@collection": "asides", "key": a.ID}); err != nil || done {
		return err
	}
	if err := b.enter(ctx, t); err != nil {
		return err
	}
	if err := b.goBack(ctx, t, a); err != nil {
		return err
	}
	doc := document{"_key": a.ID, "at": a.Time.UTC().Format(sortable), "data": data}
	if err := put(ctx, t, "put", "asides", []document{doc}); err != nil {
		return err
	}
	for _, e := range a.Environments {
		if err := b.setAside(ctx, t, a.ID, e.Name); err != nil {
			return err
		}
	}
	return b.write(ctx, t)
}

// goBack moves the head, and the entries behind it.
func (b *batch) goBack(ctx context.Context, t arangodb.Transaction, a store.Aside) error {
	head := a.First - 1
	_, found, err := first[uint64](ctx, t, "partition_advance", binds{"key": b.partitionKey, "before": a.Last, "seq": head, "token": b.token})
	if err == nil && !found {
		err = fmt.Errorf("%w: partition %d does not end at entry %d", store.ErrConflict, a.Partition, a.Last)
	}
	if err != nil {
		return err
	}
	if head == 0 { // as it is before the first entry
		if err := run(ctx, t, "remove", binds{"@collection": "partitions", "keys": []string{b.partitionKey}}); err != nil {
			return err
		}
	}
	for _, q := range []struct {
		name string
		with binds
	}{
		{"aside_put_entries", binds{"partition": a.Partition, "seq": head, "aside": a.ID}},
		{"cut_entries", binds{"partition": a.Partition, "seq": head}},
		{"cut_snapshots", binds{"partition": a.Partition, "seq": head}},
		{"cut_relay", binds{"key": b.partitionKey, "seq": head}},
	} {
		if err := run(ctx, t, q.name, q.with); err != nil {
			return err
		}
	}
	return nil
}

// setAside keeps the states of an environment, and removes all that is known of it.
func (b *batch) setAside(ctx context.Context, t arangodb.Transaction, id, name string) error {
	home := keyOf(name)
	for _, q := range []struct {
		name string
		with binds
	}{
		{"aside_put_states", binds{"home": home, "aside": id}},
		{"clear_operations", binds{"home": home}},
		{"remove", binds{"@collection": "environments", "keys": []string{home}}},
		{"remove", binds{"@collection": "snapshots", "keys": []string{keyOf(b.partitionKey, name)}}},
	} {
		if err := run(ctx, t, q.name, q.with); err != nil {
			return err
		}
	}
	return clearHome(ctx, t, home)
}

// Asides that there are.
func (s *Store) Asides(ctx context.Context) (found []store.Aside, err error) {
	rows, err := ask[string](ctx, s, "asides", nil)
	for _, data := range rows {
		var a store.Aside
		if err := s.decode(data, &a); err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	return found, err
}

// AsideEntries in the order of seq.
func (s *Store) AsideEntries(ctx context.Context, id string, after uint64, limit int) ([]store.Entry, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	rows, err := ask[entry](ctx, s, "aside_entries", binds{"aside": id, "after": min(after, maxSeq), "limit": limit})
	var found []store.Entry
	for _, e := range rows {
		found = append(found, e.entry())
	}
	return found, err
}

// AsideState of a step.
func (s *Store) AsideState(ctx context.Context, id, environment, step string) (store.StepState, error) {
	return s.stateIn(ctx, "aside_states", id+"-"+keyOf(environment, step), environment, step)
}
