package replication

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/service"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// SourceOptions of a Source. All but Beat and Log are required.
type SourceOptions struct {
	Store      store.Store
	Partitions int
	// Self says who this server is now; the source adds how far, and the time. A source whose role is not primary says so, and
	// gives nothing else away, unless it lends.
	Self func() Identity
	Box  *secret.Box
	// Token is known to both sides. Whoever has it gets everything, the cluster's key too.
	Token string
	// Orders are what the other side may ask for besides, by name: each gets the request's JSON.
	Orders map[string]func(ctx context.Context, data []byte) (any, error)
	// Lends tells whether this server, though no primary, gives another secondary what that one lacks; nil never does.
	Lends func(ctx context.Context) bool
	// Told is told of every report that says up to which moment of this server's own clock the secondary has everything. It must not
	// block.
	Told func(Report)
	// Counted is what a secondary may know of those that are counted, of those that are known; nil says nothing. It must not block.
	Counted func(to Name, known []Peer) *Counted
	// Side are the members of this server's side; nil says nothing of them. It must not block.
	Side func() []Member
	// Reported is told of every report, as it came; it must not block.
	Reported func(Report)
	// Beat is how often a silent stream says that it lives; a second unless set.
	Beat time.Duration
	Log  *slog.Logger
}

// Source serves the journal to secondaries. It is a service.Service and, by ServeHTTP, the handler of what is below Prefix.
type Source struct {
	SourceOptions
	heads   *heads
	peers   peers
	mux     *http.ServeMux
	leaving chan struct{}
	once    sync.Once

	cancel  context.CancelFunc
	running sync.WaitGroup
}

var (
	_ service.Service = (*Source)(nil)
	_ http.Handler    = (*Source)(nil)
)

// NewSource checks the options; nothing runs before Start.
func NewSource(o SourceOptions) (*Source, error) {
	if o.Store == nil || o.Partitions < 1 || o.Self == nil || o.Box == nil || o.Token == "" {
		return nil, errors.New("replication: store, partitions, self, box and token are required")
	}
	if o.Beat <= 0 {
		o.Beat = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{SourceOptions: o, heads: newHeads(o.Store, o.Partitions, o.Beat, o.Log), leaving: make(chan struct{})}
	s.peers.all = map[string]*Peer{}
	s.mux = s.routes()
	return s, nil
}

// Start begins to watch the journal.
func (s *Source) Start(ctx context.Context) error {
	if err := s.heads.look(ctx); err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.running.Go(func() { s.heads.run(run) })
	return nil
}

// Leave tells the secondaries, behind all that is in the journal, that nothing more is to come, and ends their streams.
func (s *Source) Leave() { s.once.Do(func() { close(s.leaving) }) }

// Stop leaves, and waits for the streams until ctx ends.
func (s *Source) Stop(ctx context.Context) error {
	s.Leave()
	if s.cancel == nil {
		return nil
	}
	err := s.peers.idle(ctx)
	s.cancel()
	s.running.Wait()
	return err
}

// Identity is who this server is, and how far.
func (s *Source) Identity(ctx context.Context) (Identity, error) {
	id := s.Self()
	id.KeyID, id.Partitions, id.Time = s.Box.ID(), s.Partitions, time.Now().UTC()
	if s.Side != nil {
		id.Members = s.Side()
	}
	for p := range s.Partitions {
		at, err := Head(ctx, s.Store, p)
		if err != nil {
			return id, err
		}
		id.Heads = append(id.Heads, at)
	}
	select {
	case <-s.leaving:
		id.Leaving = true
	default:
	}
	return id, nil
}

// Head is where a partition's journal ends.
func Head(ctx context.Context, j store.Journal, partition int) (Position, error) {
	head, err := j.Head(ctx, partition)
	if err != nil || head.Seq == 0 {
		return Position{Partition: partition}, err
	}
	if head.Chain != "" {
		return Position{partition, head.Seq, head.Chain}, nil
	}
	return At(ctx, j, partition, head.Seq)
}

// At is the position of an entry; its Mark is empty where there is none.
func At(ctx context.Context, j store.Journal, partition int, seq uint64) (Position, error) {
	at, err := place(ctx, j, partition, seq)
	return at.Position, err
}

func place(ctx context.Context, j store.Journal, partition int, seq uint64) (Placed, error) {
	at := Placed{Position: Position{Partition: partition, Seq: seq}}
	if seq == 0 {
		return at, nil
	}
	found, err := j.Entries(ctx, store.Selection{Partition: partition, After: seq - 1, Limit: 1})
	if err == nil && len(found) == 1 && found[0].Seq == seq {
		at.Mark, at.Epoch = store.Mark(found[0]), found[0].Epoch
	}
	return at, err
}
