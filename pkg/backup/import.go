package backup

import (
	"context"
	"io"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// maxBatch bounds the data of what is written in one transaction, in bytes.
const maxBatch = 16 << 20

// Import says what to write into a store.
type Import struct {
	// Partitions of the store; the file has to have as many.
	Partitions int
	Progress   Progress // may be nil
}

type importing struct {
	Import
	to      store.Store
	epoch   uint64
	fold    *history.Fold
	head    uint64 // of the partition in the store
	batch   store.Batch
	size    int
	states  map[[2]string]string // hashes of what is to be kept, of all partitions
	counts  Counts
	written uint64
}

// Read writes what a file holds into a store that is empty, or holds a beginning of the same journal: then it goes on behind
// it, so that an import that ended early can be run again. The file is read three times: as a whole before anything is
// written, for the journal, from which the projection is made, and for states and log lines. No server may use the store
// before Read has returned without an error. Errors are those of Verify, and of the store.
func (o Import) Read(ctx context.Context, file io.ReadSeeker, to store.Store) (Summary, error) {
	x := &importing{Import: o, to: to, fold: history.NewFold(), states: map[[2]string]string{}}
	summary, err := x.verify(ctx, file)
	if err != nil {
		return summary, err
	}
	ends := map[int]End{}
	for _, visit := range []func(context.Context, line) error{
		func(ctx context.Context, l line) error { return x.journal(ctx, l, ends) }, x.rest,
	} {
		if err := x.again(ctx, file, visit); err != nil {
			return summary, err
		}
	}
	for p, e := range ends {
		if err := to.Relayed(ctx, p, e.Relayed); err != nil {
			return summary, err
		}
	}
	summary.Written = x.written
	return summary, nil
}

// verify reads the file, and holds it against what the store has.
func (x *importing) verify(ctx context.Context, file io.Reader) (Summary, error) {
	if err := within(ctx, x.to, x.Partitions); err != nil {
		return Summary{}, err
	}
	c := newChecker(x.Progress)
	c.kept = &kept{journal: x.to}
	summary, err := c.read(ctx, file)
	if err != nil {
		return summary, err
	}
	if summary.Partitions != x.Partitions {
		return summary, fault.New(fault.Reject, fault.Invalid, "the file has %d partitions, and the setting partitions is %d: set it to the file's, "+
			"here and for the servers that will use the store", summary.Partitions, x.Partitions)
	}
	there, err := x.to.Epoch(ctx)
	x.epoch = max(c.epoch, there)
	return summary, err
}

func (x *importing) again(ctx context.Context, file io.ReadSeeker, visit func(context.Context, line) error) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := read(file, func(l line) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return visit(ctx, l)
	})
	return err
}

// journal is the second reading.
func (x *importing) journal(ctx context.Context, l line, ends map[int]End) error {
	x.counts.add(l)
	switch {
	case l.Header != nil:
		return x.open(ctx, 0)
	case l.Entry != nil:
		return x.entry(ctx, *l.Entry)
	case l.Template != nil && l.Template.Record != nil:
		t := *l.Template.Record
		t.Archive = l.Template.Data
		x.batch.Templates = append(x.batch.Templates, t)
		return x.grow(ctx, len(t.Archive))
	case l.End != nil:
		ends[l.End.Partition] = *l.End
		return x.end(ctx, *l.End)
	}
	return nil
}

func (x *importing) open(ctx context.Context, partition int) error {
	head, err := x.to.Head(ctx, partition)
	x.head, x.batch = head.Seq, store.Batch{Partition: partition, Epoch: x.epoch}
	return err
}

func (x *importing) entry(ctx context.Context, e store.Entry) error {
	if err := x.fold.Add(e); err != nil {
		return err
	}
	if e.Seq <= x.head {
		return nil
	}
	x.batch.Entries = append(x.batch.Entries, e)
	return x.grow(ctx, len(e.Data))
}

// grow writes the batch once it is large enough.
func (x *importing) grow(ctx context.Context, bytes int) error {
	x.size += bytes
	if x.size < maxBatch && len(x.batch.Entries) < page {
		return nil
	}
	return x.flush(ctx)
}

func (x *importing) flush(ctx context.Context) error {
	b := x.batch
	x.batch, x.size = store.Batch{Partition: b.Partition, Epoch: b.Epoch}, 0
	if len(b.Entries) == 0 && len(b.Templates) == 0 {
		return nil
	}
	if err := x.to.Append(ctx, b); err != nil {
		return err
	}
	x.written += uint64(len(b.Entries))
	x.Progress.tell(b.Partition, x.counts)
	return nil
}

// end writes the projection of a partition, also of what was there before: it may have been cut off in between.
func (x *importing) end(ctx context.Context, e End) error {
	if err := x.flush(ctx); err != nil {
		return err
	}
	err := x.fold.Changes(func(c environment.Changes) error {
		return x.to.Append(ctx, store.Batch{Partition: e.Partition, Epoch: x.epoch, Changes: c})
	})
	if err != nil {
		return err
	}
	for _, s := range x.fold.States() {
		x.states[[2]string{s.Environment, s.Step}] = s.Hash
	}
	x.fold = history.NewFold()
	return x.open(ctx, e.Partition+1)
}

// rest is the third reading.
func (x *importing) rest(ctx context.Context, l line) error {
	switch {
	case l.End != nil:
		x.batch.Partition = l.End.Partition + 1
	case l.Header != nil:
		x.batch = store.Batch{Epoch: x.epoch}
	case l.State != nil && len(l.State.Data) > 0 && x.states[[2]string{l.State.Environment, l.State.Step}] == l.State.Hash:
		s := store.StepState{Environment: l.State.Environment, Step: l.State.Step, Hash: l.State.Hash, Data: l.State.Data}
		return x.to.Append(ctx, store.Batch{Partition: x.batch.Partition, Epoch: x.epoch, States: []store.StepState{s}})
	case l.Logs != nil:
		return x.to.AppendLogs(ctx, *l.Logs)
	}
	return nil
}
