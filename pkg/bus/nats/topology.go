package nats

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// The streams. A queue is a subject of one of them, and a durable consumer of that subject; those of the partitions
// have a consumer only while somebody owns them.
const (
	streamCommands   = "VIVARIUM_COMMANDS"
	streamPartitions = "VIVARIUM_PARTITIONS"
	streamWork       = "VIVARIUM_WORK" // tasks, hellos and logs
	streamEvents     = "VIVARIUM_EVENTS"
	streamDead       = "VIVARIUM_DEAD"

	tasks      = "vivarium.tasks."
	partitions = "vivarium.partitions."

	// duplicates is how long the server remembers message ids. Each takes memory, and who tries again does so within seconds.
	duplicates = 30 * time.Second

	eventsAge   = 24 * time.Hour
	eventsBytes = 256 << 20

	defaultMaxDeliveries = 20
	metaMaxDeliveries    = "vivarium-max-deliveries"

	// Codes of JetStream's errors that its client has no names for.
	codeQueueTaken = 10100 // a work queue has a consumer of this subject already
)

func isPartition(queue string) bool { return strings.HasPrefix(queue, partitions) }

// streamOf is where a queue is; empty when there is no such queue.
func streamOf(queue string) string {
	switch {
	case queue == bus.Commands:
		return streamCommands
	case queue == bus.Runners, queue == bus.Logs, strings.HasPrefix(queue, tasks):
		return streamWork
	case isPartition(queue):
		return streamPartitions
	case queue == bus.DeadLetters:
		return streamDead
	default:
		return ""
	}
}

// durable is the name of a queue's consumer.
func durable(queue string) string {
	return strings.NewReplacer("_", "__", ".", "_").Replace(queue)
}

// Declare implements bus.Bus.
func (b *Bus) Declare(ctx context.Context, t bus.Topology) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	if err := b.declare(ctx, t); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topologies = append(b.topologies, t)
	return nil
}

// redeclare makes again what was declared: the server may have come back without it.
func (b *Bus) redeclare(ctx context.Context) error {
	b.mu.Lock()
	topologies := append([]bus.Topology(nil), b.topologies...)
	b.mu.Unlock()
	var all error
	for _, t := range topologies {
		all = errors.Join(all, b.declare(ctx, t))
	}
	return all
}

func (b *Bus) declare(ctx context.Context, t bus.Topology) error {
	for _, s := range []jetstream.StreamConfig{
		workQueue(streamCommands, bus.Commands, bus.Commands+".>"),
		workQueue(streamPartitions, partitions+">"),
		workQueue(streamWork, tasks+">", bus.Runners, bus.Logs),
		workQueue(streamDead, bus.DeadLetters),
		{
			Name: streamEvents, Subjects: []string{bus.Events, bus.Events + ".>"}, Storage: jetstream.FileStorage,
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, MaxAge: eventsAge, MaxBytes: eventsBytes,
			Duplicates: duplicates, MaxMsgSize: maxPayload,
		},
	} {
		if err := b.stream(ctx, s); err != nil {
			return err
		}
	}
	most := t.MaxDeliveries
	if most <= 0 {
		most = defaultMaxDeliveries
	}
	queues := []string{bus.Commands, bus.Runners, bus.Logs}
	for _, pool := range t.Pools {
		queues = append(queues, bus.Tasks(pool))
	}
	for _, queue := range queues {
		if err := b.queue(ctx, queue, most); err != nil {
			return err
		}
	}
	return b.queue(ctx, bus.DeadLetters, 0)
}

func workQueue(name string, subjects ...string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: subjects, Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy,
		Duplicates: duplicates, AllowMsgTTL: true, MaxMsgSize: maxPayload,
	}
}

func (b *Bus) stream(ctx context.Context, c jetstream.StreamConfig) error {
	// What the operator has chosen for a stream that is there stays: its replicas, and where it is placed.
	if s, err := b.js.Stream(ctx, c.Name); err == nil {
		is := s.CachedInfo().Config
		c.Replicas, c.Placement, c.Compression = is.Replicas, is.Placement, is.Compression
	}
	_, err := b.js.CreateOrUpdateStream(ctx, c)
	return refusal(err, "stream", c.Name)
}

// queue makes the consumer of a shared queue. Its limit of deliveries is kept here and carried out by whoever consumes.
func (b *Bus) queue(ctx context.Context, queue string, maxDeliveries int) error {
	c := jetstream.ConsumerConfig{
		Durable: durable(queue), AckPolicy: jetstream.AckExplicitPolicy, AckWait: b.o.AckWait,
		// What a consumer holds is bounded by what it asks for; a message that waits for its delay to pass counts here too.
		MaxDeliver: -1, MaxAckPending: -1,
		Metadata: map[string]string{metaMaxDeliveries: strconv.Itoa(maxDeliveries)},
	}
	if stream := streamOf(queue); stream == streamWork {
		c.FilterSubject = queue
	}
	_, err := b.js.CreateOrUpdateConsumer(ctx, streamOf(queue), c)
	return refusal(err, "queue", queue)
}

// refusal says what the server has against a declaration, and what to do.
func refusal(err error, kind, name string) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fault.Wrap(err, fault.GiveUp, fault.Invalid, "the NATS server has no JetStream for this account; enable it")
	case errors.As(err, &api) && server.ErrorIdentifier(api.ErrorCode) == server.JSStorageResourcesExceededErr:
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "the disk of the message bus has not room enough for the %s %q: make room there, %d MiB at least", kind, name, 2*eventsBytes>>20)
	case errors.As(err, &api) && api.Code >= 400 && api.Code < 500:
		return fault.Wrap(err, fault.GiveUp, fault.Conflict,
			"the %s %q exists on the NATS server with other settings than Vivarium needs, or can't be made (%s); delete it once it is empty, or give Vivarium an account of its own. NATS 2.11 or later is needed", kind, name, api.Description)
	default:
		return driver.Unavailable(err, "declaring the %s %q failed", kind, name)
	}
}
