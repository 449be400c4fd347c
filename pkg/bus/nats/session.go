package nats

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
)

// session is the life of a consumer on one connection: messages come to an inbox of its own, and are handed out one by one.
// There are two kinds. A shared queue has a durable consumer on the server, which the session asks for as many messages as it
// may hold. The queue of a partition has a consumer that lives as long as the session, which pushes.
type session struct {
	c      *consumer
	inbox  string
	sub    *client.Subscription
	stream string
	// bound is the limit of deliveries, 0 for none.
	bound int
	// floor: messages of the stream up to here may have been delivered to somebody before.
	floor uint64

	dead  chan struct{} // closed when what was handed out will come again
	once  sync.Once
	wake  chan struct{} // there is something to hand out, or room for it
	ended chan struct{} // closed by end
	loops sync.WaitGroup

	heard atomic.Int64 // when the server said something last, as Unix nanoseconds

	mu      sync.Mutex
	closed  bool                   // nothing more is handed out
	buffer  []*delivery            // came and not handed out
	held    map[*delivery]struct{} // handed out and not settled
	asked   int                    // asked of the server and not come
	last    string                 // where the last message that came is acknowledged
	release func()                 // of the queue of a partition: lets the next consumer have it
	gone    bool                   // released: acknowledgements have to go another way
	calm    chan struct{}          // closed when nothing is held; nil when nobody waits for that
}

// heartbeat is how often the server says that it has nothing to say.
const heartbeat = 2 * time.Second

func newSession(c *consumer) *session {
	s := &session{
		c: c, inbox: client.NewInbox(), stream: streamOf(c.o.Queue),
		dead: make(chan struct{}), wake: make(chan struct{}, 1), ended: make(chan struct{}),
		held: map[*delivery]struct{}{},
	}
	s.heard.Store(time.Now().UnixNano())
	return s
}

func (s *session) subscribe(take func(*client.Msg)) error {
	sub, err := s.c.b.nc.Subscribe(s.inbox, take)
	if err != nil {
		return driver.Unavailable(err, "consuming from %q failed", s.c.o.Queue)
	}
	s.sub = sub
	return sub.SetPendingLimits(-1, -1) // bounded by what was asked for
}

// die says that what was handed out will come again, to whomever.
func (s *session) die() { s.once.Do(func() { close(s.dead) }) }

func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// keep adds a message that has come to what is to be handed out; false when nothing is handed out any more.
func (s *session) keep(d *delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.buffer = append(s.buffer, d)
	s.nudge()
	return true
}

// next is the next delivery to hand out, if there is one and the consumer may hold it.
func (s *session) next() *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buffer) == 0 || len(s.held) >= s.c.o.Prefetch || s.closed {
		return nil
	}
	d := s.buffer[0]
	s.buffer[0] = nil
	s.buffer = s.buffer[1:]
	s.held[d] = struct{}{}
	return d
}

// settled takes a delivery off what is held.
func (s *session) settled(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, d)
	if len(s.held) == 0 && s.calm != nil {
		close(s.calm)
		s.calm = nil
	}
	s.nudge()
}

// serve hands out what comes until the session dies or ctx ends.
func (s *session) serve(ctx context.Context) {
	for {
		for d := s.next(); d != nil; d = s.next() {
			if ctx.Err() != nil || s.isDead() {
				s.putBack(d)
				return
			}
			s.handOut(d)
		}
		s.ask()
		select {
		case <-s.wake:
		case <-s.dead:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) isDead() bool {
	select {
	case <-s.dead:
		return true
	default:
		return false
	}
}

func (s *session) putBack(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, d)
	s.buffer = append([]*delivery{d}, s.buffer...)
}

// handOut gives a delivery to the handler, unless it has expired or was delivered too often.
func (s *session) handOut(d *delivery) {
	switch {
	case d.expired():
		d.Ack()
	case s.bound > 0 && d.count > s.bound:
		// Its handlers ended before they could say what is to become of it.
		d.Dead(bus.ReasonMaxDeliveries, "none of those it was delivered to said what is to become of it")
	default:
		s.c.handle(d)
	}
}

// listen checks that the server is heard, until the session ends.
func (s *session) listen(every time.Duration, also func()) {
	s.loops.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if time.Since(time.Unix(0, s.heard.Load())) > 3*heartbeat {
					s.c.log.Warn("nothing is heard from the queue; consuming from it anew")
					s.die()
				}
				also()
			case <-s.ended:
				return
			}
		}
	})
}

// end ends what runs for the session. It may be called more than once.
func (s *session) end() {
	s.die()
	s.mu.Lock()
	s.closed = true
	over := s.ended
	s.mu.Unlock()
	select {
	case <-over:
		return
	default:
	}
	close(s.ended)
	s.loops.Wait()
	if s.sub != nil {
		_ = s.sub.Unsubscribe()
	}
}

// quiet is closed once nothing is held.
func (s *session) quiet() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	calm := make(chan struct{})
	if len(s.held) == 0 {
		close(calm)
	} else {
		s.calm = calm
	}
	return calm
}

// shut stops handing out, and returns what has come and was not handed out.
func (s *session) shut() []*delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	rest := s.buffer
	s.buffer = nil
	return rest
}

// holding is what is handed out and not settled.
func (s *session) holding() []*delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make([]*delivery, 0, len(s.held))
	for d := range s.held {
		held = append(held, d)
	}
	return held
}

// retire ends the session of a stopped consumer.
func (s *session) retire() {
	if s.release != nil {
		s.retireOwner()
	} else {
		s.retireSharer()
	}
	s.end()
}
