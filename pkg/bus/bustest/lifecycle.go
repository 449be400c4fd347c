package bustest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

func closeWaits(r *rig) {
	b := r.dial("")
	const n = 1000
	c := expectConfirms(n)
	for i := range n {
		require.NoError(r, b.Send(r.ctx(), message(r.Queue, fmt.Sprint("m", i)), c.done))
	}
	require.NoError(r, b.Close(r.ctx()))
	select {
	case <-c.all:
	default:
		require.FailNow(r, "Close returned before all was reported")
	}
	require.Empty(r, c.failures())
	require.NoError(r, b.Close(r.ctx()), "closing twice")
	r.consume(r.dial(""), r.Queue, 100).sequence("m", n)
}

func closedBus(r *rig) {
	b := r.dial("")
	in := r.consume(b, r.Queue, 10)
	r.publish(b, r.Queue, "held")
	held := in.expect("held")
	require.NoError(r, b.Close(r.ctx()))
	held.Ack()
	require.Error(r, b.Publish(r.ctx(), message(r.Queue, "x")))
	require.Error(r, b.Send(r.ctx(), message(r.Queue, "x"), func(error) { panic("it was not taken") }))
	require.Error(r, b.Declare(r.ctx(), r.topology()))
	_, err := b.Consume(r.ctx(), bus.ConsumeOptions{Queue: r.Queue, Prefetch: 1}, func(bus.Delivery) {})
	require.Error(r, err)
	_, err = b.Listen(r.ctx(), nil, func(*bus.Message) {})
	require.Error(r, err)
	require.False(r, b.Status().Connected)
	d := r.consume(r.dial(""), r.Queue, 10).expect("held")
	require.True(r, d.Redelivered(), "a closed bus gives back what it held")
	d.Ack()
}

func stop(r *rig) {
	b := r.dial("")
	for _, queue := range []string{r.Queue, r.Partition} {
		var inside, calls atomic.Int32
		held := make(chan bus.Delivery, 100)
		sub, err := b.Consume(r.ctx(), bus.ConsumeOptions{Queue: queue, Prefetch: 5}, func(d bus.Delivery) {
			inside.Add(1)
			defer inside.Add(-1)
			calls.Add(1)
			held <- d
		})
		require.NoError(r, err)
		for i := range 10 {
			r.publish(b, queue, fmt.Sprint("m", i))
		}
		first, second := receive(r, held), receive(r, held)
		first.Ack()
		require.NoError(r, sub.Stop(r.ctx()))
		require.Zero(r, inside.Load(), "the handler has returned")
		after := calls.Load()
		require.NoError(r, sub.Stop(r.ctx()), "stopping twice")
		second.Ack() // it still counts
		handed := 2
		for len(held) > 0 {
			(<-held).Ack()
			handed++
		}
		r.publish(b, queue, "m10")
		other := r.consume(r.dial(""), queue, 5)
		other.sequenceFrom("m", handed, 11)
		other.none(b, queue)
		require.Equal(r, after, calls.Load(), "a stopped consumer is handed out nothing")
		other.stop()
	}
}

func pipelined(r *rig) {
	b := r.dial("")
	const n = 20_000
	body := strings.Repeat("x", 1000)
	c := expectConfirms(n)
	in := r.consume(r.dial(""), r.Queue, 1000)
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < n && err == nil; i++ {
			err = b.Send(context.Background(), message(r.Queue, fmt.Sprint("m", i, " ", body)), c.done)
		}
		sent <- err
	}()
	// Received while they are sent, in order. On a busy machine, what was held for long comes again, when it likes.
	seen, last := make([]bool, n), -1
	for left := n; left > 0; {
		d := in.next()
		var number int
		_, err := fmt.Sscanf(string(d.Message().Body), "m%d ", &number)
		require.NoError(r, err)
		d.Ack()
		if !d.Redelivered() {
			require.Greater(r, number, last)
			last = number
		}
		if !seen[number] {
			seen[number] = true
			left--
		}
	}
	r.Logf("%d received after %s", n, time.Since(start))
	require.NoError(r, <-sent)
	<-c.all
	r.Logf("and confirmed after %s", time.Since(start))
	require.Empty(r, c.failures())
}

func concurrent(r *rig) {
	shared := r.dial("")
	const workers, each = 8, 200
	seen := &ledger{seen: map[int]bool{}, grew: make(chan struct{}, 1)}
	for range 4 {
		_, err := shared.Consume(r.ctx(), bus.ConsumeOptions{Queue: r.Queue, Prefetch: 10}, func(d bus.Delivery) { go seen.take(d) })
		require.NoError(r, err)
	}
	var wg sync.WaitGroup
	errs := make(chan error, workers*each)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				if err := shared.Publish(context.Background(), message(r.Queue, fmt.Sprint(w*each+i))); err != nil {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	require.Empty(r, errs)
	r.eventually(func() bool { return len(seen.missing([]int{0})) == 0 }, "the first arrives")
	numbers := make([]int, workers*each)
	for i := range numbers {
		numbers[i] = i
	}
	r.eventually(func() bool { return len(seen.missing(numbers)) == 0 }, "all arrive")
}

func status(r *rig) {
	p := r.proxy()
	b := r.dial(p.Address())
	s := b.Status()
	require.True(r, s.Connected)
	require.NotEmpty(r, s.Driver)
	require.Regexp(r, `^\w+ \d+\.\d+\.\d+`, s.Server)
	require.Equal(r, p.Address(), s.Address, "host and port, no credentials")
	require.Empty(r, s.Error)
	p.Deaf()
	r.eventually(func() bool { s := b.Status(); return !s.Connected && s.Error != "" }, "it says that the connection is lost")
	require.False(r, s.Since.After(b.Status().Since))
	p.Hear()
	r.eventually(func() bool { s := b.Status(); return s.Connected && s.Error == "" }, "and that it is back")
}
