package bustest

import (
	"crypto/rand"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

// letter waits for the dead letter with this id, and drops those of other tests.
func (r *rig) letter(b bus.Bus, id string) *bus.Message {
	r.Helper()
	in := r.consume(b, bus.DeadLetters, 10)
	defer in.stop()
	for {
		d := in.next()
		d.Ack()
		if d.Message().ID == id {
			return d.Message()
		}
	}
}

func maxDeliveries(r *rig) {
	for _, delay := range []time.Duration{0, 100 * time.Millisecond} {
		b := r.dial("")
		r.declare(b)
		m := message(r.Queue, "hopeless")
		require.NoError(r, b.Publish(r.ctx(), m))
		in := r.consume(b, r.Queue, 10)
		for range r.topology().MaxDeliveries {
			in.expect("hopeless").Requeue(delay)
		}
		in.none(b, r.Queue)
		in.stop()
		l := r.letter(b, m.ID)
		require.Equal(r, bus.ReasonMaxDeliveries, l.Headers[bus.HeaderReason])
		require.Equal(r, r.Queue, l.Headers[bus.HeaderQueue])
		require.Equal(r, "hopeless", string(l.Body))
	}
	mixedDelays(r)
	unboundedPartition(r)
}

// mixedDelays: a delay does not make the deliveries before it be forgotten, nor the broker's own limit lose the message.
func mixedDelays(r *rig) {
	b := r.dial("")
	r.declare(b)
	m := message(r.Queue, "mixed")
	require.NoError(r, b.Publish(r.ctx(), m))
	var n atomic.Int32
	sub, err := b.Consume(r.ctx(), bus.ConsumeOptions{Queue: r.Queue, Prefetch: 10}, func(d bus.Delivery) {
		if n.Add(1) == 1 {
			d.Requeue(50 * time.Millisecond)
		} else {
			d.Requeue(0)
		}
	})
	require.NoError(r, err)
	require.Equal(r, bus.ReasonMaxDeliveries, r.letter(b, m.ID).Headers[bus.HeaderReason])
	require.NoError(r, sub.Stop(r.ctx()))
	require.InDelta(r, r.topology().MaxDeliveries, n.Load(), 1)
}

func unboundedPartition(r *rig) {
	b := r.dial("")
	in := r.consume(b, r.Partition, 10)
	r.publish(b, r.Partition, "stubborn")
	for range 30 {
		in.expect("stubborn").Requeue(0)
	}
	in.expect("stubborn").Ack()
	in.none(b, r.Partition)
}

func deadLetter(r *rig) {
	b := r.dial("")
	in := r.consume(b, r.Queue, 1)
	m := message(r.Queue, "")
	m.Body = make([]byte, 10_000)
	_, _ = rand.Read(m.Body)
	m.Headers = map[string]string{"traceparent": "00-1-2-03"}
	m.CorrelationID, m.ReplyTo, m.Expires = "c", "r", time.Hour
	require.NoError(r, b.Publish(r.ctx(), m, message(r.Queue, "next")))
	detail := "line one\nline two\r\nä \xff " + strings.Repeat("long ", 1000)
	in.next().Dead("unreadable", detail)
	in.expect("next").Ack()

	l := r.letter(b, m.ID)
	require.Equal(r, m.Body, l.Body)
	require.Equal(r, "unreadable", l.Headers[bus.HeaderReason])
	require.Equal(r, r.Queue, l.Headers[bus.HeaderQueue])
	require.True(r, strings.HasPrefix(l.Headers[bus.HeaderDetail], "line one"))
	require.Contains(r, l.Headers[bus.HeaderDetail], "ä")
	require.Equal(r, "00-1-2-03", l.Headers["traceparent"])
	require.Equal(r, []string{m.Type, m.ContentType, m.CorrelationID, m.ReplyTo}, []string{l.Type, l.ContentType, l.CorrelationID, l.ReplyTo})
	in.none(b, r.Queue)
}

func expires(r *rig) {
	b := r.dial("")
	soon, late := message(r.Queue, "soon"), message(r.Queue, "late")
	soon.Expires, late.Expires = 300*time.Millisecond, time.Hour
	require.NoError(r, b.Publish(r.ctx(), soon))
	require.NoError(r, b.Publish(r.ctx(), late))
	<-time.After(2 * soon.Expires) // this is the passing of time itself, there is nothing else to wait for
	in := r.consume(r.dial(""), r.Queue, 10)
	in.expect("late").Ack()
	in.none(b, r.Queue)
	// An expired message is of no interest to anybody: it is no dead letter.
	require.NoError(r, b.Publish(r.ctx(), bus.Message{To: bus.Address{Key: bus.DeadLetters}, ID: "end-" + soon.ID, Body: []byte("end")}))
	letters := r.consume(b, bus.DeadLetters, 10)
	for {
		d := letters.next()
		d.Ack()
		require.NotEqual(r, soon.ID, d.Message().ID)
		if d.Message().ID == "end-"+soon.ID {
			return
		}
	}
}
