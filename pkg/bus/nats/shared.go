package nats

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	client "github.com/nats-io/nats.go"
)

// pullExpiry is how long a request for messages waits on the server.
const pullExpiry = 30 * time.Second

// share consumes from a shared queue.
func (s *session) share(ctx context.Context) error {
	on, err := s.c.b.js.Consumer(ctx, s.stream, durable(s.c.o.Queue))
	if err != nil {
		return notFound(err, s.c.o.Queue)
	}
	s.bound, _ = strconv.Atoi(on.CachedInfo().Config.Metadata[metaMaxDeliveries])
	if err := s.subscribe(s.takePulled); err != nil {
		return err
	}
	// What is held is prolonged well before its time is over.
	s.listen(on.CachedInfo().Config.AckWait/3, s.prolong)
	return nil
}

// ask requests as many messages as may be held, not one by one.
func (s *session) ask() {
	if s.release != nil {
		return // the server pushes
	}
	s.mu.Lock()
	room := s.c.o.Prefetch - len(s.held) - len(s.buffer) - s.asked
	if s.closed || room < 1 || (s.asked > 0 && room < (s.c.o.Prefetch+3)/4) {
		s.mu.Unlock()
		return
	}
	s.asked += room
	s.mu.Unlock()
	request := fmt.Sprintf(`{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, room, pullExpiry, heartbeat)
	subject := "$JS.API.CONSUMER.MSG.NEXT." + s.stream + "." + durable(s.c.o.Queue)
	// An error is that of a lost connection, which ends the session in another way.
	_ = s.c.b.nc.PublishRequest(subject, s.inbox, []byte(request))
}

// takePulled takes what comes from a shared queue: messages, and what the server says of the requests for them.
func (s *session) takePulled(n *client.Msg) {
	s.heard.Store(time.Now().UnixNano())
	if n.Subject == s.inbox {
		s.takeStatus(n)
		return
	}
	d, err := newDelivery(s, n)
	if err != nil {
		s.c.log.Warn("a message without JetStream's data", "error", err)
		return
	}
	s.mu.Lock()
	s.asked--
	s.mu.Unlock()
	if !s.keep(d) {
		d.giveBack()
	}
}

func (s *session) takeStatus(n *client.Msg) {
	status := n.Header.Get("Status")
	if status == "100" {
		return
	}
	left, err := strconv.Atoi(n.Header.Get("Nats-Pending-Messages"))
	// A request that ran out says how much of it is left. Everything else means that the consumer on the server is not there
	// any more, or is somewhere else.
	if err != nil || status != "408" {
		s.c.log.Debug("the queue has to be consumed anew", "status", status, "description", n.Header.Get("Description"))
		s.die()
		return
	}
	s.mu.Lock()
	s.asked -= left
	s.mu.Unlock()
	s.nudge()
}

// prolong says of what came that somebody works on it.
func (s *session) prolong() {
	s.mu.Lock()
	working := append([]*delivery(nil), s.buffer...)
	for d := range s.held {
		working = append(working, d)
	}
	s.mu.Unlock()
	for _, d := range working {
		d.answer(ackProgress)
	}
}

// retireSharer gives back what was not handed out, and lets what was handed out be acknowledged until the bus is closed.
func (s *session) retireSharer() {
	drained := make(chan struct{})
	s.sub.SetClosedHandler(func(string) { close(drained) })
	rest := s.shut()
	if s.sub.Drain() == nil {
		select {
		case <-drained: // what was on its way has come and is given back
		case <-s.dead:
		case <-s.c.Closing:
		}
	}
	for _, d := range rest {
		d.giveBack()
	}
	select {
	case <-s.quiet():
	case <-s.dead:
	case <-s.c.Closing:
	}
	held := s.holding()
	slices.SortFunc(held, func(a, b *delivery) int { return cmp.Compare(a.sequence, b.sequence) })
	for _, d := range held {
		d.Requeue(0)
	}
}
