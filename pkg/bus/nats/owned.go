package nats

import (
	"context"
	"errors"
	"strconv"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	// inactive is how soon after its connection is gone the consumer of a partition is removed by the server, and another may
	// have the queue.
	inactive = time.Second
	// ownedAckWait never ends: what is held comes again when the consumer is gone, and not before.
	ownedAckWait = 24 * time.Hour
	// slack is how many delayed messages a partition may have before they count against the prefetch.
	slack = 1024
	// handOver is how long the queue of a partition stays with a stopped consumer that still owes acknowledgements.
	handOver = 2 * time.Second
)

// own consumes from the queue of a partition, or says that somebody else does.
//
// The server lets a subject of a work queue have one consumer, so that the consumer on the server is the lock. It is
// removed when the connection of its owner is gone, and with it what the owner held is unacknowledged: the next owner makes a
// consumer of its own, which begins with the oldest message there is.
func (s *session) own(ctx context.Context) error {
	if s.c.name != "" {
		// Our own last one, if the server has not noticed that the connection was lost.
		s.forget(s.c.name)
	}
	if err := s.subscribe(s.takePushed); err != nil {
		return err
	}
	name := durable(s.c.o.Queue) + "_" + nuid.Next()
	_, err := s.c.b.js.CreatePushConsumer(ctx, s.stream, jetstream.ConsumerConfig{
		Name: name, FilterSubject: s.c.o.Queue, DeliverSubject: s.inbox, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ownedAckWait, MaxDeliver: -1, MaxAckPending: s.c.o.Prefetch + slack,
		InactiveThreshold: inactive, MemoryStorage: true, IdleHeartbeat: heartbeat,
	})
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeQueueTaken {
		return errWaiting
	}
	if err != nil {
		return notFound(err, s.c.o.Queue)
	}
	s.c.name = name
	s.mu.Lock()
	s.release = func() { s.forget(name) }
	s.mu.Unlock()
	// Asked for after the consumer is there: whatever an earlier owner was delivered is not beyond this.
	stream, err := s.c.b.js.Stream(ctx, s.stream)
	if err != nil {
		s.release()
		return notFound(err, s.c.o.Queue)
	}
	s.floor = stream.CachedInfo().State.LastSeq
	s.listen(heartbeat, func() {})
	s.nudge()
	return nil
}

// forget removes a consumer from the server. When that fails, the server removes it itself a little later.
func (s *session) forget(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	_ = s.c.b.js.DeleteConsumer(ctx, s.stream, name)
}

// takePushed takes what the server pushes.
func (s *session) takePushed(n *client.Msg) {
	s.heard.Store(time.Now().UnixNano())
	if n.Subject == s.inbox {
		if status := n.Header.Get("Status"); status != "100" {
			s.c.log.Debug("the queue has to be consumed anew", "status", status)
			s.die()
		}
		return
	}
	d, err := newDelivery(s, n)
	if err != nil {
		s.c.log.Warn("a message without JetStream's data", "error", err)
		return
	}
	s.mu.Lock()
	s.last = d.reply
	s.mu.Unlock()
	_ = s.keep(d) // else it comes again to the next consumer
}

// retireOwner lets the next consumer have the queue when what was handed out is settled, or soon. What is settled later
// is removed from the stream, which is as good.
func (s *session) retireOwner() {
	_ = s.shut()
	grace := time.NewTimer(handOver)
	defer grace.Stop()
	select {
	case <-s.quiet():
	case <-grace.C:
	case <-s.dead:
	case <-s.c.Closing:
	}
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	if !s.isDead() {
		s.sync()
		s.release()
	}
	select {
	case <-s.quiet():
	case <-s.dead:
	case <-s.c.Closing:
	}
}

// sync waits until the server has done what it was told so far: removed, the consumer would forget what it has not come to.
// The server takes acknowledgements in their order and answers one that has a reply subject, so a harmless one is sent behind.
func (s *session) sync() {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last != "" {
		_, _ = s.c.b.nc.Request(last, []byte(ackProgress), requestTimeout)
	}
}

// remove takes a message out of the stream whose consumer is gone.
func (s *session) remove(sequence uint64) {
	_ = s.c.b.nc.Publish("$JS.API.STREAM.MSG.DELETE."+s.stream, []byte(`{"seq":`+strconv.FormatUint(sequence, 10)+`,"no_erase":true}`))
}

// freed tells when the server has removed a consumer of the partitions, so that who waits for one need not ask often.
func (b *Bus) freed(queue string) (<-chan struct{}, func()) {
	freed := make(chan struct{}, 1)
	if !isPartition(queue) {
		return freed, func() {}
	}
	sub, err := b.nc.Subscribe("$JS.EVENT.ADVISORY.CONSUMER.DELETED."+streamPartitions+"."+durable(queue)+"_*", func(*client.Msg) {
		select {
		case freed <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return freed, func() {}
	}
	return freed, func() { _ = sub.Unsubscribe() }
}
