package api

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// pollLogs is how often a feed looks for lines: the store tells of changes of the journal only.
	pollLogs = 250 * time.Millisecond
	// settleLogs is how long lines that were kept out of order may take to come.
	settleLogs = 2 * time.Second
)

// feeds are those of all environments whose logs are followed. Safe for concurrent use.
type feeds struct {
	store store.Store
	log   *slog.Logger

	mu  sync.Mutex
	all map[string]*feed
}

// feed looks for new lines of one environment on behalf of all who follow it: however many they are, and as long as
// nothing is new, the store is asked once in a while. It holds no lines: readers take them from the store at their own
// pace, which is what bounds their memory.
type feed struct {
	feeds *feeds
	name  string
	end   context.CancelFunc
	done  chan struct{}

	mu       sync.Mutex
	readers  []*reader
	head     uint64 // id of the newest line
	settled  uint64 // up to this id no line comes late
	revision uint64 // sequence of the environment's newest entry, 0 while it is not known
	heads    []headAt
}

type headAt struct {
	at time.Time
	id uint64
}

// reader is one who follows a feed.
type reader struct {
	*feed
	// wake gets a value when something is new.
	wake chan struct{}
	// restless readers are woken by every look, whether it finds something or not.
	restless atomic.Bool
}

func newFeeds(s store.Store, log *slog.Logger) *feeds {
	return &feeds{store: s, log: log, all: map[string]*feed{}}
}

// join follows an environment until leave.
func (h *feeds) join(name string) *reader {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.all[name]
	if !ok {
		ctx, end := context.WithCancel(context.Background())
		f = &feed{feeds: h, name: name, end: end, done: make(chan struct{})}
		h.all[name] = f
		go f.run(ctx)
	}
	r := &reader{feed: f, wake: make(chan struct{}, 1)}
	f.mu.Lock()
	f.readers = append(f.readers, r)
	f.mu.Unlock()
	return r
}

// leave ends the feed with its last reader.
func (r *reader) leave() {
	h, f := r.feeds, r.feed
	h.mu.Lock()
	f.mu.Lock()
	f.readers = slices.DeleteFunc(f.readers, func(other *reader) bool { return other == r })
	last := len(f.readers) == 0
	f.mu.Unlock()
	if last {
		delete(h.all, f.name)
	}
	h.mu.Unlock()
	if last {
		f.end()
		<-f.done
	}
}

func (f *feed) run(ctx context.Context) {
	defer close(f.done)
	journal := f.feeds.store.Watch(ctx)
	tick := time.NewTicker(pollLogs)
	defer tick.Stop()
	for {
		f.look(ctx, journal)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look asks the store for what is new. When it can't, the readers are woken to find out for themselves.
func (f *feed) look(ctx context.Context, journal <-chan struct{}) {
	head, revision, err := f.ask(ctx, journal)
	if err != nil && ctx.Err() == nil {
		f.feeds.log.Debug("the logs of an environment can't be followed now", "environment", f.name, "error", err)
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	news := err != nil || head > f.head || revision != f.revision
	f.head, f.revision = head, revision
	f.settle(now)
	for _, r := range f.readers {
		if news || r.restless.Load() {
			select {
			case r.wake <- struct{}{}:
			default: // one that is still there says the same
			}
		}
	}
}

func (f *feed) ask(ctx context.Context, journal <-chan struct{}) (head, revision uint64, err error) {
	f.mu.Lock()
	head, revision = f.head, f.revision
	f.mu.Unlock()
	newest, err := f.feeds.store.ReadLogs(ctx, store.LogSelection{Environment: f.name, After: head, Newest: true, Limit: 1})
	if err != nil {
		return head, revision, err
	}
	if len(newest) > 0 {
		head = newest[0].ID
	}
	if revision == 0 {
		record, err := f.feeds.store.Environment(ctx, f.name)
		return head, record.Revision, err
	}
	select {
	case <-journal:
		revision, err = f.read(ctx, revision)
	default:
	}
	return head, revision, err
}

// read reads on in the environment's journal. After an error it begins anew with the next look.
func (f *feed) read(ctx context.Context, revision uint64) (uint64, error) {
	for {
		entries, err := f.feeds.store.Entries(ctx, store.Selection{
			Partition: anyPartition, Environment: f.name, After: revision, Limit: batchSize,
		})
		if err != nil {
			return 0, err
		}
		if len(entries) > 0 {
			revision = entries[len(entries)-1].Seq
		}
		if len(entries) < batchSize {
			return revision, nil
		}
	}
}

// settle remembers the head, and finds what it was some time ago.
func (f *feed) settle(now time.Time) {
	f.heads = append(f.heads, headAt{now, f.head})
	for len(f.heads) > 0 && now.Sub(f.heads[0].at) >= settleLogs {
		f.settled = f.heads[0].id
		f.heads = f.heads[1:]
	}
}

// state is how far the environment's journal is, and the id up to which no line comes late.
func (r *reader) state() (revision, settled uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.revision, r.settled
}
