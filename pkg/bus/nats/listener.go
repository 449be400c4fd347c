package nats

import (
	"context"
	"strings"
	"sync"

	client "github.com/nats-io/nats.go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// listener is a bus.Listener: core subscriptions, which the client makes again after a lost connection.
type listener struct {
	b       *Bus
	address string
	topics  []bus.Address
	handle  func(*bus.Message)
	subs    []*client.Subscription

	once    sync.Once
	stop    chan struct{}
	turn    chan struct{} // holds a token while the handler runs
	stopped chan struct{}
}

// Listen implements bus.Bus.
func (b *Bus) Listen(ctx context.Context, topics []bus.Address, handle func(*bus.Message)) (bus.Listener, error) {
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	l := &listener{
		b: b, address: client.NewInbox(), topics: topics, handle: handle,
		stop: make(chan struct{}), turn: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	if err := b.running.Add(l); err != nil {
		return nil, err
	}
	if err := l.subscribe(ctx); err != nil {
		_ = l.Stop(ctx)
		return nil, err
	}
	return l, nil
}

func (l *listener) subscribe(ctx context.Context) error {
	subjects := map[string]func(*client.Msg){l.address: func(n *client.Msg) { l.give(decode(n)) }}
	for i, topic := range l.topics {
		for _, subject := range subjectsOf(topic) {
			if subjects[subject] == nil {
				subjects[subject] = func(n *client.Msg) { l.takeTopic(i, subject, n) }
			}
		}
	}
	for subject, take := range subjects {
		sub, err := l.b.nc.Subscribe(subject, take)
		if err != nil {
			return fault.Wrap(err, fault.Reject, fault.Invalid, "%q can't be listened to", subject)
		}
		l.subs = append(l.subs, sub)
	}
	// Listening has begun once the server has read the subscriptions.
	if err := l.b.nc.FlushWithContext(bounded(ctx)); err != nil {
		return driver.Unavailable(err, "listening failed")
	}
	return nil
}

// subjectsOf are the NATS subjects that cover a topic's pattern. Where # is not at the end they cover more.
func subjectsOf(topic bus.Address) []string {
	before, _, found := strings.Cut(topic.Key, "#")
	subject := topic.Exchange
	if key := strings.TrimSuffix(before, "."); key != "" {
		subject += "." + key
	}
	if !found {
		return []string{subject}
	}
	return []string{subject, subject + ".>"} // # is also no word at all
}

// takeTopic hands out a message that the topic i matches, and no other subscription of this listener has handed out.
func (l *listener) takeTopic(i int, subject string, n *client.Msg) {
	m := decode(n)
	if !matches(l.topics[i], m.To) {
		return
	}
	for j := range i {
		if matches(l.topics[j], m.To) {
			return
		}
	}
	l.give(m)
}

func matches(topic, to bus.Address) bool {
	return topic.Exchange == to.Exchange && matchWords(strings.Split(topic.Key, "."), strings.Split(to.Key, "."))
}

// matchWords is AMQP's way: * is one word, # any number.
func matchWords(pattern, words []string) bool {
	switch {
	case len(pattern) == 0:
		return len(words) == 0
	case pattern[0] == "#":
		return matchWords(pattern[1:], words) || len(words) > 0 && matchWords(pattern, words[1:])
	case len(words) == 0:
		return false
	default:
		return (pattern[0] == "*" || pattern[0] == words[0]) && matchWords(pattern[1:], words[1:])
	}
}

// give calls the handler, one message at a time, unless the listener is stopped.
func (l *listener) give(m *bus.Message) {
	select {
	case l.turn <- struct{}{}:
	case <-l.stop:
		return
	}
	defer func() { <-l.turn }()
	select {
	case <-l.stop:
	default:
		l.handle(m)
	}
}

// Address implements bus.Listener.
func (l *listener) Address() string { return l.address }

// Stop implements bus.Subscription.
func (l *listener) Stop(ctx context.Context) error { return l.Shut(ctx) }

// Shut implements driver.Closer.
func (l *listener) Shut(ctx context.Context) error {
	l.once.Do(func() {
		close(l.stop)
		for _, sub := range l.subs {
			_ = sub.Unsubscribe()
		}
		l.b.running.Remove(l)
		go func() {
			l.turn <- struct{}{} // the handler has returned, and is not called again
			close(l.stopped)
		}()
	})
	return driver.Handled(ctx, l.stopped, "a listener")
}

// Finish implements driver.Closer: there is nothing that a listener owes the server.
func (l *listener) Finish() {}

// lost implements closer: the client subscribes again.
func (l *listener) lost() {}

// bounded gives a context a deadline, which the client insists on.
func bounded(ctx context.Context) context.Context {
	if _, ok := ctx.Deadline(); ok {
		return ctx
	}
	limited, cancel := context.WithTimeout(ctx, requestTimeout)
	context.AfterFunc(limited, cancel)
	return limited
}
