package runner

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

// memoryBus is a bus within the test. A fake is right here, and only here: the tests that use it run on the clock of
// a synctest bubble, which no network can be part of, and ask for faults at an exact moment (a confirm that never
// comes, a connection lost between a delivery and its acknowledgement) that a real broker does not produce on demand.
// The drivers' own suites and the test with a real bus beside this one show what the real ones do.
type memoryBus struct {
	mu        sync.Mutex
	sent      []bus.Message
	held      []func(error)           // confirms that hold keeps back
	hold      bool                    // no confirm comes until release
	refuse    func(bus.Message) error // what the broker says to a message; nil takes it
	before    func(bus.Message)       // called before a message is taken, and may block as a full connection does
	declared  bus.Topology
	listening []bus.Address
	hear      func(*bus.Message)
	consumers map[string]*memoryConsumer
	since     time.Time
	closed    []string
	fail      map[string]error // by method
}

var errNoBroker = errors.New("no broker")

func newMemoryBus() *memoryBus {
	return &memoryBus{consumers: map[string]*memoryConsumer{}, since: time.Now(), fail: map[string]error{}}
}

func (b *memoryBus) Declare(_ context.Context, t bus.Topology) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.declared = t
	return b.fail["Declare"]
}

func (b *memoryBus) Publish(ctx context.Context, messages ...bus.Message) error {
	for _, m := range messages {
		confirmed := make(chan error, 1)
		if err := b.Send(ctx, m, func(err error) { confirmed <- err }); err != nil {
			return err
		}
		select {
		case err := <-confirmed:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (b *memoryBus) Send(_ context.Context, m bus.Message, done func(error)) error {
	b.mu.Lock()
	before := b.before
	b.mu.Unlock()
	if before != nil {
		before(m)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	if b.refuse != nil {
		err = b.refuse(m)
	}
	if b.hold {
		b.held = append(b.held, done)
		return nil
	}
	if err == nil {
		b.sent = append(b.sent, m)
	}
	go done(err)
	return nil
}

// stall keeps all confirms back, and the messages too, as a broker does that can't be reached; release loses them.
func (b *memoryBus) stall() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = true
}

func (b *memoryBus) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = false
	for _, done := range b.held {
		go done(errNoBroker)
	}
	b.held = nil
}

func (b *memoryBus) refuseWith(f func(bus.Message) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = f
}

func (b *memoryBus) messages() []bus.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sent)
}

func (b *memoryBus) Consume(_ context.Context, o bus.ConsumeOptions, handle func(bus.Delivery)) (bus.Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fail["Consume"]; err != nil {
		return nil, err
	}
	c := &memoryConsumer{options: o, in: make(chan *memoryDelivery, 1000), end: make(chan struct{}), over: make(chan struct{})}
	b.consumers[o.Queue] = c
	go c.run(handle)
	return c, nil
}

func (b *memoryBus) consumer(queue string) *memoryConsumer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.consumers[queue]
}

func (b *memoryBus) Listen(_ context.Context, topics []bus.Address, handle func(*bus.Message)) (bus.Listener, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listening, b.hear = topics, handle
	return &memoryListener{bus: b}, b.fail["Listen"]
}

func (b *memoryBus) Status() bus.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bus.Status{Driver: "memory", Connected: true, Since: b.since}
}

// reconnect is what is left to see of a connection that was lost and has come back.
func (b *memoryBus) reconnect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = time.Now()
}

func (b *memoryBus) Close(context.Context) error { return nil }

type memoryListener struct{ bus *memoryBus }

func (l *memoryListener) Address() string { return "private" }
func (l *memoryListener) Stop(context.Context) error {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	l.bus.closed = append(l.bus.closed, "listener")
	return nil
}

type memoryConsumer struct {
	options   bus.ConsumeOptions
	in        chan *memoryDelivery
	end, over chan struct{}
	once      sync.Once
}

func (c *memoryConsumer) run(handle func(bus.Delivery)) {
	defer close(c.over)
	for {
		select {
		case d := <-c.in:
			handle(d)
		case <-c.end:
			return
		}
	}
}

func (c *memoryConsumer) Stop(ctx context.Context) error {
	c.once.Do(func() { close(c.end) })
	select {
	case <-c.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// memoryDelivery remembers its fate.
type memoryDelivery struct {
	message     bus.Message
	redelivered bool

	mu   sync.Mutex
	fate []string
}

func (d *memoryDelivery) Message() *bus.Message { return &d.message }
func (d *memoryDelivery) Redelivered() bool     { return d.redelivered }
func (d *memoryDelivery) Ack()                  { d.note("ack") }
func (d *memoryDelivery) Requeue(delay time.Duration) {
	d.note("requeue " + strconv.FormatInt(int64(delay), 10))
}
func (d *memoryDelivery) Dead(code, _ string) { d.note("dead " + code) }

func (d *memoryDelivery) note(fate string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fate = append(d.fate, fate)
}

// fates are all that happened to the delivery; a correct handler leaves exactly one.
func (d *memoryDelivery) fates() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.fate)
}
