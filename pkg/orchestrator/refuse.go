package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/service"
)

// refuserPrefetch is how many commands are held at once, and handed over together.
const refuserPrefetch = 64

// RefuserOptions of a Refuser. Bus is required.
type RefuserOptions struct {
	Bus bus.Bus
	// Cluster is the primary's name, and Primary says where it is, empty when nobody knows.
	Cluster string
	Primary func() string
	// HandOver gives commands to the primary and returns their answers, in the same order; nil refuses all. Those are handed over that
	// stand in the queue when the Refuser begins, and HandedOver, where it is not nil, is called once behind them.
	HandOver   func(ctx context.Context, commands []json.RawMessage) ([]event.Answer, error)
	HandedOver func()
	Log        *slog.Logger
}

// Refuser answers every command on the bus of a secondary with who takes it, or, of a side that has just stepped down, hands over what
// was sent to it before. Where it hears a server that does take commands,
// since both sides share a broker or a takeover has begun, it leaves the commands alone.
type Refuser struct {
	RefuserOptions
	heard    atomic.Int64 // Unix time in ns of the last word of a server that takes commands
	listener bus.Listener
	id       string // of marks
	passing  chan bus.Delivery
	begun    time.Time
	marked   time.Time   // when the last mark was made; the watch's alone
	over     atomic.Bool // all is handed over

	run     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

var _ service.Service = (*Refuser)(nil)

// NewRefuser makes one that does nothing before Start.
func NewRefuser(o RefuserOptions) *Refuser {
	if o.Primary == nil {
		o.Primary = func() string { return "" }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Refuser{RefuserOptions: o, id: uuid.NewString(), passing: make(chan bus.Delivery, refuserPrefetch)}
	r.run, r.cancel = context.WithCancel(context.Background())
	return r
}

// Start listens for servers first; commands are answered once none was heard for as long as a server may be silent.
func (r *Refuser) Start(ctx context.Context) (err error) {
	if err := r.Bus.Declare(ctx, bus.Topology{}); err != nil {
		return err
	}
	r.begun = time.Now()
	r.heard.Store(r.begun.UnixNano())
	r.listener, err = r.Bus.Listen(ctx, []bus.Address{{Exchange: bus.Control, Key: topicServers}}, func(m *bus.Message) {
		var s event.ServerPresence
		if e, err := event.Decode(m.Body); err == nil && json.Unmarshal(e.Data, &s) == nil && !s.Leaving {
			r.heard.Store(time.Now().UnixNano())
		}
	})
	if err != nil {
		return err
	}
	r.running.Go(r.watch)
	if r.HandOver != nil {
		r.running.Go(r.pass)
	}
	return nil
}

// Stop ends answering; what comes later waits for who takes it.
func (r *Refuser) Stop(ctx context.Context) error {
	r.cancel()
	r.running.Wait()
	r.leave()
	if r.listener == nil {
		return nil
	}
	return r.listener.Stop(ctx)
}

// watch consumes commands while nobody else is there to.
func (r *Refuser) watch() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var sub bus.Subscription
	stop := func() {
		if sub == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := sub.Stop(ctx); err != nil {
			r.Log.Warn("commands could not be left alone", "error", err)
		}
		sub = nil
	}
	defer stop()
	for {
		others := time.Since(time.Unix(0, r.heard.Load())) < peerGone
		switch {
		case others:
			stop()
		case sub == nil:
			var err error
			if sub, err = r.begin(); err != nil && !errors.Is(err, context.Canceled) {
				r.Log.Warn("commands can't be answered now", "error", err)
			}
		default:
			r.remark()
		}
		select {
		case <-r.run.Done():
			return
		case <-tick.C:
		}
	}
}

// refuse answers one command. What can't be read has nobody to be answered.
func (r *Refuser) refuse(d bus.Delivery) {
	m := d.Message()
	e, err := event.Decode(m.Body)
	switch {
	case err != nil:
		f := fault.From(err)
		d.Dead(string(f.Code), f.Message)
		return
	case e.Type == event.TypeOf(event.QueueMark):
		d.Ack()
		return
	}
	name, _ := event.NameOf(e.Type)
	reason := r.reason()
	r.answer(d, event.Answer{CommandID: e.ID, Command: name, Environment: e.Subject, Error: reason}, func(d bus.Delivery) {
		r.Log.Warn("a command came to a secondary, and nobody is there to be answered: it is a dead letter", "command", name, "id", e.ID)
		d.Dead(string(reason.Code), reason.Message)
	})
}
