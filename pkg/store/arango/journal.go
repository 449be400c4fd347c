package arango

import (
	"context"
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/store"
)

const defaultLimit = 1000

// entry is an entry's document. Data is kept as text, so that not a digit of it is another.
type entry struct {
	Partition   int       `json:"partition"`
	Seq         uint64    `json:"seq"`
	Environment string    `json:"environment"`
	Type        string    `json:"type"`
	Time        time.Time `json:"time"`
	Epoch       uint64    `json:"epoch"`
	Operation   string    `json:"operation"`
	Causation   string    `json:"causation"`
	TraceParent string    `json:"traceparent"`
	Data        string    `json:"data"`
	Chain       string    `json:"chain"` // null in what was written before there were chains
}

func (e entry) entry() store.Entry {
	out := store.Entry{Partition: e.Partition, Seq: e.Seq, Environment: e.Environment, Type: e.Type, Time: e.Time, Epoch: e.Epoch,
		Operation: e.Operation, Causation: e.Causation, TraceParent: e.TraceParent, Chain: e.Chain}
	if e.Data != "" {
		out.Data = json.RawMessage(e.Data)
	}
	return out
}

// Entries come in the order of seq; those of one seq in several partitions, which only a selection by environment can
// meet, in the order of partitions.
func (s *Store) Entries(ctx context.Context, q store.Selection) ([]store.Entry, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	after := min(q.After, maxSeq)
	low, high := 0, maxPartition
	if q.Partition >= 0 && q.Partition <= maxPartition {
		low, high = q.Partition, q.Partition
	}
	var rows []entry
	var err error
	switch {
	case q.Environment != "":
		rows, err = ask[entry](ctx, s, "entries_of_environment", binds{"home": keyOf(q.Environment), "after": after, "low": low,
			"high": high, "limit": limit})
	case low == high:
		rows, err = ask[entry](ctx, s, "entries_of_partition", binds{"partition": low, "after": after, "limit": limit})
	}
	if err != nil {
		return nil, err
	}
	found := make([]store.Entry, len(rows))
	for i, e := range rows {
		found[i] = e.entry()
	}
	return found, nil
}

// head is what is known of a partition; its fields are null before the first entry.
type head struct {
	Seq     uint64 `json:"seq"`
	Token   string `json:"token"`
	Relayed uint64 `json:"relayed"`
	Chain   string `json:"chain"`
}

// Head of a partition; zero before its first entry. Relayed is at once what this process was told; of what others were told
// it may be a second behind.
func (s *Store) Head(ctx context.Context, partition int) (store.Head, error) {
	h, _, err := askOne[head](ctx, s, "partition_head", binds{"key": partitionKey(partition), "partition": partition})
	return store.Head{Partition: partition, Seq: h.Seq, Relayed: max(h.Relayed, s.relays.Of(partition)), Chain: h.Chain}, err
}

// Relayed is kept in memory and written within a second, or by Close.
func (s *Store) Relayed(ctx context.Context, partition int, seq uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return errClosed
	}
	s.relays.Raise(partition, min(seq, maxSeq))
	return nil
}

type snapshot struct {
	Environment string `json:"environment"`
	Seq         uint64 `json:"seq"`
	Data        []byte `json:"data"`
}

// Snapshots of a partition, newest of each environment.
func (s *Store) Snapshots(ctx context.Context, partition int, environment string) ([]store.Snapshot, error) {
	var rows []snapshot
	var err error
	if environment == "" {
		rows, err = ask[snapshot](ctx, s, "snapshots", binds{"partition": partition})
	} else {
		rows, err = ask[snapshot](ctx, s, "snapshot", binds{"key": keyOf(partitionKey(partition), environment)})
	}
	var found []store.Snapshot
	for _, r := range rows {
		found = append(found, store.Snapshot{Environment: r.Environment, Partition: partition, Seq: r.Seq, Data: r.Data})
	}
	return found, err
}

// Epoch in force.
func (s *Store) Epoch(ctx context.Context) (uint64, error) {
	epoch, _, err := askOne[uint64](ctx, s, "meta_get", binds{"key": "epoch"})
	return epoch, err
}
