package bustest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

func restart(r *rig) {
	r.traffic(r.dial(""), r.dial(""), 2, func() {
		require.NoError(r, r.broker.Stop(r.ctx()))
		require.NoError(r, r.broker.Start(r.ctx()))
	})
}

func crash(r *rig) {
	// An orderly restart first: RabbitMQ 3 writes the directory of its queues seconds after a queue was declared, and a
	// crash before that takes the queue with it.
	require.NoError(r, r.broker.Stop(r.ctx()))
	require.NoError(r, r.broker.Start(r.ctx()))
	r.traffic(r.dial(""), r.dial(""), 2, func() {
		require.NoError(r, r.broker.Kill(r.ctx()))
		require.NoError(r, r.broker.Start(r.ctx()))
	})
}

func cut(r *rig) {
	publisher, consumer := r.proxy(), r.proxy()
	r.traffic(r.dial(publisher.Address()), r.dial(consumer.Address()), 3, func() {
		publisher.Cut()
		consumer.Cut()
	})
}

// ledger is what a consumer of numbers has seen.
type ledger struct {
	mu   sync.Mutex
	seen map[int]bool
	n    int
	grew chan struct{} // a token when something new was seen
}

func (l *ledger) take(d bus.Delivery) {
	n, err := strconv.Atoi(string(d.Message().Body))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && !l.seen[n] {
		l.seen[n] = true
		l.n++
		select {
		case l.grew <- struct{}{}:
		default:
		}
	}
	d.Ack()
}

func (l *ledger) missing(numbers []int) (missing []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range numbers {
		if !l.seen[n] {
			missing = append(missing, n)
		}
	}
	return missing
}

// traffic publishes numbers with Publish and with Send while trouble happens several times. Everything that was confirmed has
// to arrive, everything has to be reported exactly once, and the consumers go on by themselves.
func (r *rig) traffic(from, to bus.Bus, times int, trouble func()) {
	seen := &ledger{seen: map[int]bool{}, grew: make(chan struct{}, 1)}
	for _, queue := range []string{r.Queue, r.Partition} {
		_, err := to.Consume(r.ctx(), bus.ConsumeOptions{Queue: queue, Prefetch: 50}, seen.take)
		require.NoError(r, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var sources sync.WaitGroup
	published, sent := &source{}, &source{}
	sources.Go(func() { published.publish(ctx, from, r.Queue, 0) })
	sources.Go(func() { sent.send(ctx, from, r.Partition, 1) })
	for range times {
		r.grow(seen, 200)
		trouble()
	}
	r.grow(seen, 200)
	stop()
	sources.Wait()
	require.NoError(r, from.Close(r.ctx()))
	require.Empty(r, published.failed, "Publish goes on by itself until its context ends")
	require.Equal(r, sent.taken, len(sent.confirmed)+len(sent.failed), "each message that Send took is reported once")
	numbers := append(append([]int(nil), published.confirmed...), sent.confirmed...)
	require.EventuallyWithT(r, func(c *assert.CollectT) {
		missing := seen.missing(numbers)
		assert.Empty(c, missing[:min(10, len(missing))], "of %d that were confirmed, %d are missing", len(numbers), len(missing))
	}, patience, 10*time.Millisecond)
	r.Logf("%d published, %d sent, %d of them unconfirmed", len(published.confirmed), len(sent.confirmed), len(sent.failed))
}

// grow waits until n more numbers were seen.
func (r *rig) grow(l *ledger, n int) {
	r.Helper()
	l.mu.Lock()
	goal := l.n + n
	l.mu.Unlock()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		enough := l.n >= goal
		l.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-l.grew:
		case <-deadline:
			require.FailNow(r, "the traffic does not go on")
		}
	}
}

// source publishes the even or the odd numbers.
type source struct {
	mu        sync.Mutex
	taken     int
	confirmed []int
	failed    []int
	errs      []error
}

func (s *source) report(n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = append(s.failed, n)
		s.errs = append(s.errs, err)
		return
	}
	s.confirmed = append(s.confirmed, n)
}

func (s *source) publish(ctx context.Context, b bus.Bus, queue string, n int) {
	for ; ctx.Err() == nil; n += 10 {
		var batch []bus.Message
		for i := range 5 {
			batch = append(batch, message(queue, strconv.Itoa(n+2*i)))
		}
		limited, cancel := context.WithTimeout(context.Background(), patience)
		err := b.Publish(limited, batch...)
		cancel()
		for i := range 5 {
			s.report(n+2*i, err)
		}
	}
}

func (s *source) send(ctx context.Context, b bus.Bus, queue string, n int) {
	// A few hundred in flight, as a server has them; not as many as the machine can take.
	room := make(chan struct{}, 300)
	for ; ctx.Err() == nil; n += 2 {
		room <- struct{}{}
		n := n // the callback's own
		err := b.Send(context.Background(), message(queue, strconv.Itoa(n)), func(err error) { s.report(n, err); <-room })
		if err != nil {
			<-room
			return
		}
		s.mu.Lock()
		s.taken++
		s.mu.Unlock()
	}
}

func publishWaits(r *rig) {
	p := r.proxy()
	b := r.dial(p.Address())
	in := r.consume(r.dial(""), r.Queue, 10)
	p.Deaf()
	r.eventually(func() bool { return !b.Status().Connected }, "it notices")
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	require.Error(r, b.Publish(short, message(r.Queue, "too late")), "until its context ends")
	result := make(chan error, 1)
	go func() { result <- b.Publish(r.ctx(), message(r.Queue, "patient")) }()
	p.Hear()
	require.NoError(r, receive(r, result))
	for string(in.next().Message().Body) != "patient" {
		continue
	}
}

func sendReports(r *rig) {
	p := r.proxy()
	b := r.dial(p.Address())
	r.publish(b, r.Queue, "it works")
	const n = 2000
	c := expectConfirms(n)
	for i := range n {
		require.NoError(r, b.Send(r.ctx(), message(r.Queue, fmt.Sprint(i)), c.done))
		if i == n/2 {
			p.Deaf()
		}
	}
	p.Hear()
	select {
	case <-c.all:
	case <-time.After(patience):
		require.FailNow(r, "not everything is reported")
	}
	require.NotEmpty(r, c.failures(), "some can't be known to be stored")
	c = expectConfirms(1)
	require.NoError(r, b.Send(r.ctx(), message(r.Queue, "after"), c.done))
	<-c.all
	require.Empty(r, c.failures())
}

func listenerSurvives(r *rig) {
	p := r.proxy()
	listening, b := r.dial(p.Address()), r.dial("")
	l, heard := r.listen(listening, bus.Address{Exchange: bus.Events, Key: r.pool + ".#"})
	address := l.Address()
	p.Deaf()
	r.eventually(func() bool { return !listening.Status().Connected }, "it notices")
	p.Hear()
	r.eventually(func() bool { return listening.Status().Connected }, "it connects again")
	require.Equal(r, address, l.Address())
	// What is sent before it listens again may be lost, so it is sent until it is heard.
	for _, m := range []bus.Message{topic(bus.Events, r.pool+".x", "event"), message(address, "reply")} {
		r.eventually(func() bool {
			again := m
			again.ID = fmt.Sprint(time.Now().UnixNano())
			_ = b.Publish(r.ctx(), again)
			return r.hears(heard, string(m.Body))
		}, "it hears again: "+string(m.Body))
	}
}

func (r *rig) hears(heard chan *bus.Message, body string) bool {
	deadline := time.After(100 * time.Millisecond)
	for {
		select {
		case m := <-heard:
			if string(m.Body) == body {
				return true
			}
		case <-deadline:
			return false
		}
	}
}
