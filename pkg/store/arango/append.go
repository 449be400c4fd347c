package arango

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/arangodb/go-driver/v2/arangodb"
	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	maxSeq       = 1<<48 - 1
	maxPartition = 1<<15 - 1
	// chunkDocuments is how many documents go into one request.
	chunkDocuments = 1000
)

// written are the collections that a batch may write to.
var written = arangodb.TransactionCollections{Write: append([]string{
	"meta", "partitions", "entries", "snapshots", "templates", "states", "environments", "resources", "operations"}, edgeKinds...)}

// Append writes the batch in one stream transaction. When ctx ends while it is committed, Append returns ctx's error and the
// batch may be written all the same.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	if err := check(b); err != nil {
		return err
	}
	ready, err := newBatch(b)
	if err != nil {
		return err
	}
	unsure := false
	err = s.retry(ctx, func(ctx context.Context) error {
		err := s.inTransaction(ctx, written, func(t arangodb.Transaction) error { return ready.write(ctx, t) })
		var u uncertain
		if unsure = unsure || errors.As(err, &u); unsure && errors.Is(err, store.ErrConflict) {
			return s.unlessOurs(ctx, ready, err)
		}
		return err
	})
	if err == nil && len(b.Entries) > 0 {
		s.watchers.Notify()
	}
	return plain(err)
}

// unlessOurs: the answer to an earlier commit was lost, and now the entries are taken. By us, when the partition's document
// has the batch's token.
func (s *Store) unlessOurs(ctx context.Context, b *batch, taken error) error {
	h, _, err := first[head](ctx, s.db, "partition_head", binds{"key": b.partitionKey, "partition": b.partition})
	if err != nil {
		return err
	}
	if h.Token == b.token {
		return nil
	}
	return taken
}

// check refuses what can't be the next entries of any journal.
func check(b store.Batch) error {
	if b.Partition < 0 || b.Partition > maxPartition || b.Epoch > maxSeq {
		return fault.New(fault.GiveUp, fault.Invalid, "partition %d or epoch %d is out of range", b.Partition, b.Epoch)
	}
	for i, e := range b.Entries {
		first := b.Entries[0].Seq
		if e.Seq == 0 || e.Seq > maxSeq || e.Partition != b.Partition || e.Seq != first+uint64(i) { //nolint:gosec // an index
			return fault.Wrap(store.ErrConflict, fault.GiveUp, fault.Conflict,
				"entry %d of partition %d does not follow on entry %d of partition %d", e.Seq, e.Partition, first+uint64(i)-1, b.Partition) //nolint:gosec // an index
		}
	}
	return nil
}

// write does the whole batch. What fences comes first, so that a refused batch costs little.
func (b *batch) write(ctx context.Context, t arangodb.Transaction) error {
	if err := b.enter(ctx, t); err != nil {
		return err
	}
	if err := b.advance(ctx, t); err != nil {
		return err
	}
	if err := conflicting(put(ctx, t, "put_entries", "", b.entries)); err != nil {
		return err
	}
	if err := b.project(ctx, t); err != nil {
		return err
	}
	if err := put(ctx, t, "put_snapshots", "", b.snapshots); err != nil {
		return err
	}
	if err := put(ctx, t, "put_once", "templates", b.templates); err != nil {
		return err
	}
	if err := b.saveStates(ctx, t); err != nil {
		return err
	}
	return b.takeOut(ctx, t) // behind what was saved on the way to its end
}

// conflicting makes of a key that is taken what it means.
func conflicting(err error) error {
	if hasNumber(err, unique) {
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	return err
}

// enter lets a batch of an epoch in, or refuses it.
func (b *batch) enter(ctx context.Context, t arangodb.Transaction) error {
	inForce, _, err := first[uint64](ctx, t, "meta_get", binds{"key": "epoch"})
	switch {
	case err != nil:
		return err
	case b.epoch < inForce:
		return fmt.Errorf("%w: epoch %d, in force is %d", store.ErrStaleEpoch, b.epoch, inForce)
	case b.epoch == inForce:
		return nil
	}
	if err := run(ctx, t, "meta_put", binds{"key": "epoch", "value": b.epoch}); err != nil {
		return err
	}
	return run(ctx, t, "partitions_fence", binds{"epoch": b.epoch})
}

// advance moves the partition's head over the entries, or finds that it is somewhere else. A batch without entries writes to
// the head, too: an epoch that is raised at the same time must not miss it.
func (b *batch) advance(ctx context.Context, t arangodb.Transaction) error {
	switch {
	case b.count == 0:
		return run(ctx, t, "partition_touch", binds{"key": b.partitionKey, "token": b.token})
	case b.first == 1:
		// Whoever raises the epoch can't see a document that is not there yet, but writes this one.
		if err := run(ctx, t, "meta_put", binds{"key": "epoch", "value": b.epoch}); err != nil {
			return err
		}
		return conflicting(run(ctx, t, "partition_first", binds{"key": b.partitionKey, "partition": b.partition,
			"seq": b.count, "token": b.token, "epoch": b.epoch}))
	}
	_, found, err := first[uint64](ctx, t, "partition_advance", binds{"key": b.partitionKey, "before": b.first - 1,
		"seq": b.first + b.count - 1, "token": b.token})
	if err == nil && !found {
		return fmt.Errorf("%w: partition %d, entry %d does not follow on its head", store.ErrConflict, b.partition, b.first)
	}
	return err
}

// put writes documents, a thousand with each request.
func put[T any](ctx context.Context, t arangodb.Transaction, query, collection string, docs []T) error {
	for chunk := range slices.Chunk(docs, chunkDocuments) {
		b := binds{"docs": chunk}
		if collection != "" {
			b["@collection"] = collection
		}
		if err := run(ctx, t, query, b); err != nil {
			return err
		}
	}
	return nil
}

func partitionKey(partition int) string { return strconv.Itoa(partition) }

func newToken() string { return uuid.NewString() }
