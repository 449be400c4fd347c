package bus

import (
	"context"
	"time"
)

// Address is where a message goes: a topic of an exchange, or a queue when Exchange is empty. The key of an
// empty exchange may also be the ReplyTo of a message that was received.
type Address struct {
	Exchange string
	Key      string
}

// Message is what travels. Body is one encoded event.Envelope unless somebody else published it.
type Message struct {
	To            Address
	ID            string // unique; the broker may drop a second copy
	Type          string
	ContentType   string
	CorrelationID string
	ReplyTo       string
	Headers       map[string]string // trace context
	// Expires drops the message from a queue when nobody took it in this time; 0 never.
	Expires time.Duration
	// Transient messages need not survive a restart of the broker.
	Transient bool
	Body      []byte
}

// Delivery is a message that was received. Exactly one of Ack, Requeue and Dead has to be called, from any
// goroutine; they do not block on the broker, and after a lost connection they do nothing (the broker delivers
// the message again).
type Delivery interface {
	Message() *Message
	// Redelivered is false only when nobody can have received the message before.
	Redelivered() bool
	Ack()
	// Requeue gives the message back to be delivered again, not before the delay has passed.
	Requeue(delay time.Duration)
	// Dead moves the message to DeadLetters with the reason in the headers HeaderReason and HeaderDetail.
	Dead(code, detail string)
}

// Headers of a dead letter.
const (
	HeaderReason = "x-vivarium-reason"
	HeaderDetail = "x-vivarium-detail"
	HeaderQueue  = "x-vivarium-queue"
)

// ReasonMaxDeliveries is the HeaderReason of a message that was delivered Topology.MaxDeliveries times to no avail.
const ReasonMaxDeliveries = "max-deliveries"

// ConsumeOptions bound what one consumer holds.
type ConsumeOptions struct {
	Queue string
	// Prefetch is how many deliveries may be unacknowledged at once; at least 1.
	Prefetch int
	// Lost, when not nil, is called when deliveries handed out before will come again to somebody (the connection
	// was lost or the consumer was replaced): what was derived from them and is not yet durable is void.
	Lost func()
}

// Subscription is a running consumer.
type Subscription interface {
	// Stop ends deliveries and returns when the handler has returned for the last time; what was delivered
	// may still be acknowledged until the bus is closed. Stopping twice is harmless.
	Stop(ctx context.Context) error
}

// Listener is a private, transient queue of this connection: for replies, and for topics that somebody watches.
// It survives reconnects with the same Address; what was sent while the connection was down is lost.
type Listener interface {
	Subscription
	// Address is what to put into ReplyTo.
	Address() string
}

// Status tells how the connection stands.
type Status struct {
	Driver    string    `json:"driver"`  // "amqp", "nats" or "embedded"
	Server    string    `json:"server"`  // product and version of the broker, when known
	Address   string    `json:"address"` // host and port, never credentials
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // of the present state
	Error     string    `json:"error,omitempty"` // why it is not connected
}

// Bus is one connection to a broker. All methods are safe for concurrent use.
type Bus interface {
	// Declare makes the durable exchanges and queues of a topology; it is idempotent.
	Declare(ctx context.Context, t Topology) error
	// Publish returns nil when the broker has confirmed every message, in order; messages of one call to one
	// queue stay in order. On an error some may have been stored. It waits for a lost connection to come back
	// until ctx ends.
	Publish(ctx context.Context, messages ...Message) error
	// Send is Publish without waiting: done (not nil) is called exactly once, from another goroutine, with nil once the
	// broker has confirmed, or with the reason why that is not known. It blocks only while too many are unconfirmed.
	// When Send itself returns an error (ctx ended, the bus is closed, the message can't be sent), the message was not
	// taken and done is not called.
	Send(ctx context.Context, message Message, done func(error)) error
	// Consume delivers the messages of a declared queue, one call of handle at a time, in order, until stopped.
	// After a lost connection it resumes by itself. ctx bounds the start only.
	Consume(ctx context.Context, o ConsumeOptions, handle func(Delivery)) (Subscription, error)
	// Listen opens a private queue, bound to the topics (exchange and pattern; * is one word, # is any number).
	Listen(ctx context.Context, topics []Address, handle func(*Message)) (Listener, error)
	// Status is cheap and never blocks.
	Status() Status
	// Close ends the connection after what Send was given is confirmed or ctx ends; closing twice is harmless.
	Close(ctx context.Context) error
}
