package bustest

import (
	"crypto/rand"
	"fmt"
	"sort"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func topic(exchange, key, body string) bus.Message {
	return bus.Message{To: bus.Address{Exchange: exchange, Key: key}, ID: rand.Text(), Body: []byte(body)}
}

func noSubscribers(r *rig) {
	b := r.dial("")
	key := "environment." + rand.Text() + ".deployed"
	require.NoError(r, b.Publish(r.ctx(), topic(bus.Events, key, "hello"), topic(bus.Control, key, "hello"), topic(bus.Cluster, key, "hello")))
}

// listen collects what a listener hears.
func (r *rig) listen(b bus.Bus, topics ...bus.Address) (bus.Listener, chan *bus.Message) {
	r.Helper()
	heard := make(chan *bus.Message, 10_000)
	l, err := b.Listen(r.ctx(), topics, func(m *bus.Message) { heard <- m })
	require.NoError(r, err)
	return l, heard
}

func topics(r *rig) {
	b, name := r.dial(""), "env"+rand.Text()
	keys := []string{name, name + ".a", name + ".a.b", name + ".a.b.c", name + ".x.b", name + "x.a"}
	for pattern, want := range map[string][]string{
		name + ".#":     {name, name + ".a", name + ".a.b", name + ".a.b.c", name + ".x.b"},
		name + ".*":     {name + ".a"},
		name + ".*.b":   {name + ".a.b", name + ".x.b"},
		name + ".a":     {name + ".a"},
		name + ".#.b":   {name + ".a.b", name + ".x.b"},
		"*.a":           {name + ".a", name + "x.a"},
		name + ".*.b.#": {name + ".a.b", name + ".a.b.c", name + ".x.b"},
		"#":             keys,
	} {
		for _, exchange := range []string{bus.Events, bus.Control, bus.Cluster} {
			// The same topic twice is no reason to hear a message twice.
			l, heard := r.listen(r.dial(""), bus.Address{Exchange: exchange, Key: pattern}, bus.Address{Exchange: exchange, Key: pattern}, bus.Address{Exchange: exchange, Key: "end." + name})
			for _, key := range keys {
				require.NoError(r, b.Publish(r.ctx(), topic(exchange, key, key)))
			}
			require.NoError(r, b.Publish(r.ctx(), topic(exchange, "end."+name, "end")))
			require.Equal(r, sorted(want), r.heard(heard, len(want)), "pattern %s on %s", pattern, exchange)
			require.NoError(r, l.Stop(r.ctx()))
		}
	}
	require.NoError(r, stopTwice(r, b))
}

// heard gathers keys until the message "end" and as many others as are wanted, or more, were there.
func (r *rig) heard(ch chan *bus.Message, n int) []string {
	r.Helper()
	var keys []string
	for ended := false; !ended || len(keys) < n; {
		m := receive(r, ch)
		if string(m.Body) == "end" {
			ended = true
			continue
		}
		require.Equal(r, m.To.Key, string(m.Body))
		keys = append(keys, m.To.Key)
	}
	return sorted(keys)
}

func sorted(s []string) []string {
	s = append([]string(nil), s...)
	sort.Strings(s)
	return s
}

// stopTwice: stopping twice is harmless.
func stopTwice(r *rig, b bus.Bus) error {
	l, _ := r.listen(b)
	require.NoError(r, l.Stop(r.ctx()))
	return l.Stop(r.ctx())
}

func replies(r *rig) {
	server, client := r.dial(""), r.dial("")
	in := r.consume(server, r.Queue, 10)
	l, answers := r.listen(client)
	for i := range 100 {
		m := message(r.Queue, fmt.Sprint("question ", i))
		m.ReplyTo, m.CorrelationID = l.Address(), fmt.Sprint(i)
		require.NoError(r, client.Publish(r.ctx(), m))
		d := in.next()
		answer := message(d.Message().ReplyTo, "answer")
		answer.CorrelationID, answer.Transient = d.Message().CorrelationID, true
		require.NoError(r, server.Publish(r.ctx(), answer))
		d.Ack()
		require.Equal(r, fmt.Sprint(i), receive(r, answers).CorrelationID)
	}
}

func plain(r *rig) {
	b := r.dial("")
	in := r.consume(b, bus.Commands, 10)
	answers := make(chan []byte, 10)
	body := []byte(rand.Text())
	end, err := r.broker.Plain(r.ctx(), "environment.create", body, answers)
	require.NoError(r, err)
	defer end()
	d := in.next()
	for string(d.Message().Body) != string(body) {
		d.Ack()
		d = in.next()
	}
	require.Equal(r, bus.Address{Exchange: bus.Commands, Key: "environment.create"}, d.Message().To)
	require.NotEmpty(r, d.Message().ReplyTo)
	require.NoError(r, b.Publish(r.ctx(), message(d.Message().ReplyTo, "accepted")))
	d.Ack()
	require.Equal(r, "accepted", string(receive(r, answers)))
}

func missingQueue(r *rig) {
	b := r.dial("")
	pool := "nobody-" + rand.Text()
	err := b.Publish(r.ctx(), message(bus.Tasks(pool), "anybody there?"))
	if !r.broker.KeepsUndeclared {
		require.True(r, fault.Is(err, fault.NotFound), "%v", err)
		_, err = b.Consume(r.ctx(), bus.ConsumeOptions{Queue: bus.Tasks(pool), Prefetch: 1}, func(bus.Delivery) {})
		require.True(r, fault.Is(err, fault.NotFound), "%v", err)
	} else {
		require.NoError(r, err)
		require.NoError(r, b.Declare(r.ctx(), bus.Topology{Pools: []string{pool}}))
		r.consume(b, bus.Tasks(pool), 1).expect("anybody there?").Ack()
	}
	// The messages around it are not touched.
	r.publish(b, r.Queue, "m0")
	r.consume(b, r.Queue, 1).sequence("m", 1)
}

func refused(r *rig) {
	b := r.dial("")
	for name, m := range map[string]bus.Message{
		"no address":     {},
		"a huge body":    {To: bus.Address{Key: r.Queue}, Body: make([]byte, 17<<20)},
		"a huge key":     topic(bus.Events, string(make([]byte, 300)), ""),
		"no prefetch":    {To: bus.Address{Key: ""}},
		"a huge type":    {To: bus.Address{Key: r.Queue}, Type: string(make([]byte, 300))},
		"a nameless tag": {To: bus.Address{Key: r.Queue}, Headers: map[string]string{"": "x"}},
	} {
		err := b.Publish(r.ctx(), m)
		require.True(r, fault.Is(err, fault.Invalid), "%s: %v", name, err)
		require.Equal(r, fault.Reject, fault.From(err).Disposition, name)
	}
	_, err := b.Consume(r.ctx(), bus.ConsumeOptions{Queue: r.Queue}, func(bus.Delivery) {})
	require.True(r, fault.Is(err, fault.Invalid), "%v", err)
	_, err = b.Consume(r.ctx(), bus.ConsumeOptions{Queue: "nothing-" + rand.Text(), Prefetch: 1}, func(bus.Delivery) {})
	require.True(r, fault.Is(err, fault.NotFound), "%v", err)
	r.publish(b, r.Queue, "m0")
	r.consume(b, r.Queue, 1).sequence("m", 1)
}
