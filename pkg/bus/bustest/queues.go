package bustest

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

func declareTwice(r *rig) {
	a, b := r.dial(""), r.dial("")
	in := r.consume(a, r.Queue, 10)
	r.publish(b, r.Queue, "before")
	r.declare(a)
	r.declare(b)
	require.NoError(r, b.Declare(r.ctx(), bus.Topology{Pools: []string{r.pool}, MaxDeliveries: MaxDeliveries}), "a part of it")
	in.expect("before").Ack()
	in.none(b, r.Queue)
}

func order(r *rig) {
	b := r.dial("")
	const n = 500
	in := r.consume(r.dial(""), r.Partition, 20)
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprint("m", i)
	}
	r.publish(b, r.Partition, bodies...)
	for i := range n {
		d := in.expect(fmt.Sprint("m", i))
		require.False(r, d.Redelivered())
		d.Ack()
	}
	in.none(b, r.Partition)
}

func intact(r *rig) {
	b := r.dial("")
	in := r.consume(b, r.Queue, 1)
	body := make([]byte, 300_000) // more than one frame
	_, _ = rand.Read(body)
	m := bus.Message{
		To: bus.Address{Key: r.Queue}, ID: rand.Text(), Type: "vivarium.test.v1", ContentType: "application/octet-stream",
		CorrelationID: "correlation", ReplyTo: "reply.here",
		Headers: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"},
		Body:    body,
	}
	require.NoError(r, b.Publish(r.ctx(), m))
	d := in.next()
	got := *d.Message()
	d.Ack()
	require.Equal(r, m, got)
}

func stored(r *rig) {
	b := r.dial("")
	r.publish(b, r.Queue, "m0", "m1", "m2")
	require.NoError(r, r.broker.Stop(r.ctx()))
	require.NoError(r, r.broker.Start(r.ctx()))
	r.consume(r.dial(""), r.Queue, 10).sequence("m", 3)

	r.publish(b, r.Partition, "n0", "n1", "n2")
	require.NoError(r, r.broker.Kill(r.ctx()))
	require.NoError(r, r.broker.Start(r.ctx()))
	r.consume(r.dial(""), r.Partition, 10).sequence("n", 3)
}

func redelivery(r *rig) {
	for _, queue := range []string{r.Queue, r.Partition} {
		p := r.proxy()
		dying, b := r.dial(p.Address()), r.dial("")
		in := r.consume(dying, queue, 10)
		r.publish(b, queue, "m0", "m1", "m2")
		in.expect("m0").Ack()
		for i := 1; i < 3; i++ {
			require.False(r, in.expect(fmt.Sprint("m", i)).Redelivered(), "the first time")
		}
		p.Deaf()
		heir := r.consume(b, queue, 10)
		for i := 1; i < 3; {
			d := heir.next()
			require.True(r, d.Redelivered(), "the second time")
			if string(d.Message().Body) == fmt.Sprint("m", i) { // m0 may come again: its acknowledgement may have been cut off
				i++
			}
			d.Ack()
		}
		heir.none(b, queue)
		r.eventually(func() bool { return in.lost.Load() > 0 }, "the old consumer knows that it lost its deliveries")
	}
}

func prefetch(r *rig) {
	b := r.dial("")
	for _, queue := range []string{r.Queue, r.Partition} {
		in := r.consume(b, queue, 3)
		for i := range 20 {
			r.publish(b, queue, fmt.Sprint("m", i))
		}
		var held []bus.Delivery
		for i := range 20 {
			held = append(held, in.expect(fmt.Sprint("m", i)))
			require.LessOrEqual(r, len(held)+len(in.deliveries), 3)
			if len(held) == 3 {
				// Out of order on purpose.
				held[1].Ack()
				held[0].Ack()
				held[2].Ack()
				held = nil
			}
		}
		for _, d := range held {
			d.Ack()
		}
		in.none(b, queue)
		in.stop()
	}
}

// gaps: a driver may acknowledge several messages as one, but not one that is still held among them.
func gaps(r *rig) {
	b := r.dial("")
	for _, queue := range []string{r.Queue, r.Partition} {
		owner := r.dial("")
		in := r.consume(owner, queue, 100)
		var held []bus.Delivery
		for i := range 100 {
			r.publish(b, queue, fmt.Sprint("m", i))
			held = append(held, in.expect(fmt.Sprint("m", i)))
		}
		for i := len(held) - 1; i >= 0; i-- {
			if i%10 != 0 {
				held[i].Ack()
			}
		}
		require.NoError(r, owner.Close(r.ctx()))
		heir := r.consume(b, queue, 100)
		// An acknowledgement of the last moment may not have been taken; what is held has to come.
		for want := 10; want > 0; {
			d := heir.next()
			require.True(r, d.Redelivered())
			d.Ack()
			if strings.HasSuffix(string(d.Message().Body), "0") {
				want--
			}
		}
		heir.stop()
	}
}

func requeue(r *rig) {
	b := r.dial("")
	for _, queue := range []string{r.Queue, r.Partition} {
		in := r.consume(b, queue, 10)
		r.publish(b, queue, "again")
		d := in.expect("again")
		require.False(r, d.Redelivered())
		d.Requeue(0)
		d.Ack() // only the first of them counts
		d = in.expect("again")
		require.True(r, d.Redelivered())
		d.Ack()
		in.none(b, queue)
		in.stop()
	}
}

func requeueDelay(r *rig) {
	b := r.dial("")
	for _, queue := range []string{r.Queue, r.Partition} {
		in := r.consume(b, queue, 10)
		r.publish(b, queue, "later")
		const delay = 700 * time.Millisecond
		first := in.expect("later")
		id := first.Message().ID
		given := time.Now()
		first.Requeue(delay)
		d := in.expect("later")
		require.GreaterOrEqual(r, time.Since(given), delay, "before its time")
		require.True(r, d.Redelivered())
		require.Equal(r, id, d.Message().ID)
		require.Empty(r, d.Message().Headers)
		d.Ack()
		in.none(b, queue)
		in.stop()
	}
}

func requeueBehind(r *rig) {
	b := r.dial("")
	for _, queue := range []string{r.Queue, r.Partition} {
		in := r.consume(b, queue, 1)
		r.publish(b, queue, "later", "soon", "next")
		in.expect("later").Requeue(time.Hour)
		in.expect("soon").Requeue(time.Second)
		in.expect("next").Ack()
		in.expect("soon").Ack()
		in.stop()
	}
}
