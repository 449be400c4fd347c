package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// checker reads a file as a whole: what the lines say has to make sense, too.
type checker struct {
	fold      *history.Fold
	states    map[[2]string]string // of the partition
	templates map[string]bool      // those that are there
	named     map[string]bool
	epoch     uint64
	chain     string // of the partition's last entry
	counts    Counts
	progress  Progress
	kept      *kept // nil: nothing to hold it against
}

// Verify reads a whole file: that it is neither cut off nor altered, that no entry is missing, that every fact is known and
// can follow on those before it, and that states and templates are those that the journal names. With a journal, the same
// journal has to be there. Errors are of the code Damaged, or fault.Conflict
// where the store has something else.
func Verify(ctx context.Context, file io.Reader, against store.Journal, progress Progress) (Summary, error) {
	c := newChecker(progress)
	if against != nil {
		c.kept = &kept{journal: against, whole: true}
	}
	return c.read(ctx, file)
}

func newChecker(progress Progress) *checker {
	return &checker{fold: history.NewFold(), states: map[[2]string]string{}, templates: map[string]bool{}, named: map[string]bool{}, progress: progress}
}

func (c *checker) read(ctx context.Context, file io.Reader) (Summary, error) {
	summary, err := read(file, func(l line) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.counts.add(l)
		return c.visit(ctx, l)
	})
	if err != nil {
		return summary, err
	}
	for hash := range c.named {
		if !c.templates[hash] {
			return summary, fault.New(fault.Reject, Damaged, "the file lacks the template %s, which its journal names", hash)
		}
	}
	return summary, nil
}

func (c *checker) visit(ctx context.Context, l line) error {
	switch {
	case l.Header != nil:
		c.epoch = l.Header.Epoch
		return c.kept.begin(ctx)
	case l.Entry != nil:
		return c.entry(ctx, *l.Entry)
	case l.State != nil:
		return c.state(*l.State)
	case l.Template != nil:
		return c.template(*l.Template)
	case l.End != nil:
		return c.end(ctx, *l.End)
	}
	return nil
}

func (c *checker) entry(ctx context.Context, e store.Entry) error {
	if e.Chain != "" && e.Chain != store.Link(c.chain, e) {
		return fault.New(fault.Reject, Damaged, "entry %d of partition %d in the file has another chain than the entries up to it: "+
			"one of them is not as it was written", e.Seq, e.Partition)
	}
	c.chain = e.Chain
	if err := c.fold.Add(e); err != nil {
		return fault.Wrap(err, fault.Reject, Damaged, "entry %d of partition %d in the file can't be followed", e.Seq, e.Partition)
	}
	for _, hash := range history.Templates(e) {
		c.named[hash] = true
	}
	c.epoch = max(c.epoch, e.Epoch)
	if c.counts.Entries%page == 0 {
		c.progress.tell(e.Partition, c.counts)
	}
	return c.kept.compare(ctx, e)
}

func (c *checker) state(s state) error {
	if sum := sha256.Sum256(s.Data); len(s.Data) > 0 && s.Hash != hex.EncodeToString(sum[:]) {
		return fault.New(fault.Reject, Damaged, "the state of %s in %s has another checksum than it was written with", s.Step, s.Environment)
	}
	c.states[[2]string{s.Environment, s.Step}] = s.Hash
	return nil
}

func (c *checker) template(a archive) error {
	if a.Record != nil && a.Record.Hash != a.Hash {
		return fault.New(fault.Reject, Damaged, "the template %s has the hash %s", a.Hash, a.Record.Hash)
	}
	c.templates[a.Hash] = true
	return nil
}

// end holds the states of a partition against what its journal names.
func (c *checker) end(ctx context.Context, e End) error {
	for _, want := range c.fold.States() {
		if c.states[[2]string{want.Environment, want.Step}] != want.Hash {
			return fault.New(fault.Reject, Damaged, "the file lacks the state of %s in %s, which its journal names", want.Step, want.Environment)
		}
	}
	c.fold, c.states, c.chain = history.NewFold(), map[[2]string]string{}, ""
	return c.kept.end(ctx, e)
}

// kept is a journal that a file is held against. A nil one is held against nothing.
type kept struct {
	journal store.Journal
	whole   bool // it has to have all of the file; otherwise a beginning of it, and nothing else
	head    store.Head
	page    []store.Entry
}

func (k *kept) begin(ctx context.Context) error {
	if k == nil {
		return nil
	}
	return k.open(ctx, 0)
}

func (k *kept) open(ctx context.Context, partition int) (err error) {
	k.page = nil
	k.head, err = k.journal.Head(ctx, partition)
	return err
}

func (k *kept) compare(ctx context.Context, e store.Entry) (err error) {
	if k == nil || e.Seq > k.head.Seq && !k.whole {
		return nil
	}
	if e.Seq > k.head.Seq {
		return fault.New(fault.Reject, fault.Conflict, "the store's partition %d ends at entry %d, and the file has more", e.Partition, k.head.Seq)
	}
	if len(k.page) == 0 {
		k.page, err = k.journal.Entries(ctx, store.Selection{Partition: e.Partition, After: e.Seq - 1, Limit: page})
		if err != nil {
			return err
		}
	}
	if len(k.page) == 0 || !same(k.page[0], e) {
		return fault.New(fault.Reject, fault.Conflict, "entry %d of partition %d is another one in the store than in the file: "+
			"the store holds another history", e.Seq, e.Partition)
	}
	k.page = k.page[1:]
	return nil
}

func (k *kept) end(ctx context.Context, e End) error {
	if k == nil {
		return nil
	}
	if !k.whole && k.head.Seq > e.Seq {
		return fault.New(fault.Reject, fault.Conflict, "the store's partition %d has %d entries, and the file only %d: "+
			"it is not empty, and has gone on since; import into an empty store", e.Partition, k.head.Seq, e.Seq)
	}
	return k.open(ctx, e.Partition+1)
}

// same compares what entries say; drivers may keep spaces in the data or not.
func same(a, b store.Entry) bool {
	a.Time, b.Time = a.Time.UTC(), b.Time.UTC()
	left, err := json.Marshal(a)
	right, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(left) == string(right)
}
