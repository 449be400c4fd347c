package backup

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// page is how many entries, log lines or records are read at once.
const page = 500

// rounds bound how often an export follows a partition whose states change while they are read.
const rounds = 100

// Export says what to write.
type Export struct {
	Cluster    string
	Partitions int
	Program    string // version of this program
	// Logs takes the lines that steps printed, too.
	Logs     bool
	Now      time.Time
	Progress Progress // may be nil
}

type export struct {
	Export
	from      store.Store
	out       *writer
	templates map[string]bool
}

// Write writes all that a store holds while others may go on writing into it: heads are taken first, and what comes
// later is left out, but for entries without which a state would be newer than its journal. Memory is bounded by the
// largest partition's graph. After an error what was written is no whole file, and says so when it is read.
func (o Export) Write(ctx context.Context, from store.Store, to io.Writer) (Summary, error) {
	x := &export{Export: o, from: from, out: newWriter(to), templates: map[string]bool{}}
	header, heads, err := x.heads(ctx)
	if err != nil {
		return Summary{}, err
	}
	if err := x.out.write(line{Header: &header}); err != nil {
		return Summary{}, err
	}
	for _, head := range heads {
		if err := x.partition(ctx, head); err != nil {
			return Summary{}, err
		}
	}
	sum, err := x.out.close()
	return Summary{Header: header, Counts: x.out.counts, SHA256: sum}, err
}

func (x *export) heads(ctx context.Context) (Header, []store.Head, error) {
	h := Header{Format: Version, Cluster: x.Cluster, Partitions: x.Partitions, Source: x.from.Info(), Program: x.Program, Time: x.Now}
	if err := within(ctx, x.from, x.Partitions); err != nil {
		return h, nil, err
	}
	var heads []store.Head
	for p := range x.Partitions {
		head, err := x.from.Head(ctx, p)
		if err != nil {
			return h, nil, err
		}
		heads = append(heads, head)
	}
	var err error
	h.Epoch, err = x.from.Epoch(ctx)
	return h, heads, err
}

// within refuses a store that has more partitions than it is believed to have, of which some would be left out.
func within(ctx context.Context, s store.Reader, partitions int) error {
	f := store.Filter{Page: store.Page{Limit: page}}
	for {
		records, next, err := s.Environments(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range records {
			if r.Partition >= partitions {
				return fault.New(fault.Reject, fault.Invalid, "the environment %s is in partition %d, and the setting partitions is %d: "+
					"set it to what the store was made with", r.Name, r.Partition, partitions)
			}
		}
		if f.Cursor = next; next == "" {
			return nil
		}
	}
}

// partition writes entries up to a head, and follows the journal for as long as a state is newer than what it says.
func (x *export) partition(ctx context.Context, head store.Head) error {
	fold, after := history.NewFold(), uint64(0)
	have := map[[2]string]string{}
	for round := 0; ; round++ {
		if err := x.entries(ctx, fold, head.Partition, after, head.Seq); err != nil {
			return err
		}
		after = head.Seq
		pending, err := x.states(ctx, fold, have)
		if err != nil {
			return err
		}
		now, err := x.from.Head(ctx, head.Partition)
		if err != nil {
			return err
		}
		if len(pending) == 0 || now.Seq == head.Seq {
			return x.finish(ctx, fold, head, pending)
		}
		if round == rounds {
			return fault.New(fault.Retry, fault.Busy, "states in partition %d change faster than they can be read: try again when less is under way", head.Partition)
		}
		head.Seq = now.Seq
	}
}

func (x *export) entries(ctx context.Context, fold *history.Fold, partition int, after, last uint64) error {
	for after < last {
		found, err := x.from.Entries(ctx, store.Selection{Partition: partition, After: after, Limit: int(min(page, last-after))})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fault.New(fault.GiveUp, Damaged, "the store's partition %d has no entry %d, and its head is %d", partition, after+1, last)
		}
		for _, e := range found {
			if e.Seq != after+1 {
				return fault.New(fault.GiveUp, Damaged, "the store's partition %d has no entry %d, but one behind it", partition, after+1)
			}
			if err := x.entry(ctx, fold, e); err != nil {
				return err
			}
			after = e.Seq
		}
		x.Progress.tell(partition, x.out.counts)
	}
	return ctx.Err()
}

func (x *export) entry(ctx context.Context, fold *history.Fold, e store.Entry) error {
	if err := fold.Add(e); err != nil {
		return fault.Wrap(err, fault.GiveUp, Damaged, "the store's journal can't be followed at entry %d of partition %d", e.Seq, e.Partition)
	}
	if err := x.out.write(line{Entry: &e}); err != nil {
		return err
	}
	for _, hash := range history.Templates(e) {
		if !x.templates[hash] {
			x.templates[hash] = true
			if err := x.template(ctx, hash); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *export) template(ctx context.Context, hash string) error {
	found, err := x.from.Template(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return x.out.write(line{Template: &archive{Hash: hash}})
	}
	if err != nil {
		return err
	}
	return x.out.write(line{Template: &archive{Hash: hash, Record: &found, Data: found.Archive}})
}

// states writes those that are what the fold says and were not written yet, and returns the others.
func (x *export) states(ctx context.Context, fold *history.Fold, have map[[2]string]string) (pending []store.StepState, err error) {
	for _, want := range fold.States() {
		key := [2]string{want.Environment, want.Step}
		if have[key] == want.Hash {
			continue
		}
		found, err := x.from.State(ctx, want.Environment, want.Step)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err != nil || found.Hash != want.Hash {
			pending = append(pending, want)
			continue
		}
		have[key] = want.Hash
		if err := x.out.write(line{State: &state{found.Environment, found.Step, found.Hash, found.Data}}); err != nil {
			return nil, err
		}
	}
	return pending, nil
}

// finish closes a partition. What is lost has stayed away although the journal has not moved.
func (x *export) finish(ctx context.Context, fold *history.Fold, head store.Head, lost []store.StepState) error {
	for _, s := range lost {
		if err := x.out.write(line{State: &state{Environment: s.Environment, Step: s.Step, Hash: s.Hash}}); err != nil {
			return err
		}
	}
	if x.Logs {
		for _, name := range fold.Environments() {
			if err := x.logs(ctx, name); err != nil {
				return err
			}
		}
	}
	return x.out.end(End{Partition: head.Partition, Seq: head.Seq, Relayed: min(head.Relayed, head.Seq)})
}

func (x *export) logs(ctx context.Context, name string) error {
	q := store.LogSelection{Environment: name, Limit: page}
	for {
		found, err := x.from.ReadLogs(ctx, q)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return nil
		}
		for len(found) > 0 {
			n := together(found)
			if err := x.out.write(line{Logs: batched(name, found[:n])}); err != nil {
				return err
			}
			q.After, found = found[n-1].ID, found[n:]
		}
	}
}

// together is how many of the first lines are of one attempt and follow on each other.
func together(lines []store.LogRecord) int {
	n := 1
	for n < len(lines) && lines[n].Operation == lines[0].Operation && lines[n].Step == lines[0].Step &&
		lines[n].Attempt == lines[0].Attempt && lines[n].Number == lines[n-1].Number+1 {
		n++
	}
	return n
}

func batched(name string, lines []store.LogRecord) *event.Logs {
	first := lines[0]
	b := &event.Logs{TaskRef: event.TaskRef{Environment: name, Operation: first.Operation, Step: first.Step, Attempt: first.Attempt}, First: first.Number}
	for _, l := range lines {
		b.Lines = append(b.Lines, l.LogLine)
	}
	return b
}
