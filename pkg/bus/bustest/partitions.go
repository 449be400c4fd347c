package bustest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

func (r *rig) proxy() *Proxy {
	r.Helper()
	p, err := NewProxy(r.broker.Address)
	require.NoError(r, err)
	r.Cleanup(p.Close)
	return p
}

func (r *rig) eventually(condition func() bool, what string) {
	r.Helper()
	require.Eventually(r, condition, patience, 5*time.Millisecond, what)
}

func takeoverClosed(r *rig) {
	first, second, b := r.dial(""), r.dial(""), r.dial("")
	active, waiting := r.consume(first, r.Partition, 10), r.consume(second, r.Partition, 10)
	for i := range 20 {
		r.publish(b, r.Partition, fmt.Sprint("m", i))
		active.expect(fmt.Sprint("m", i)).Ack()
	}
	require.Empty(r, waiting.deliveries, "only one gets deliveries")
	require.NoError(r, first.Close(r.ctx()))
	r.publish(b, r.Partition, "m20")
	waiting.expect("m20").Ack()
	require.Zero(r, waiting.lost.Load())
}

func takeoverDead(r *rig) {
	p := r.proxy()
	first, second, b := r.dial(p.Address()), r.dial(""), r.dial("")
	active, waiting := r.consume(first, r.Partition, 10), r.consume(second, r.Partition, 10)
	r.publish(b, r.Partition, "m0")
	held := active.expect("m0")
	p.Deaf()
	d := waiting.expect("m0")
	require.True(r, d.Redelivered())
	d.Ack()
	r.eventually(func() bool { return active.lost.Load() == 1 }, "the one that lost it is told")
	held.Ack() // of no effect, and no harm
	held.Requeue(0)
	p.Hear()
	r.publish(b, r.Partition, "m1", "m2")
	waiting.sequenceFrom("m", 1, 3)
	require.Empty(r, active.deliveries)
	// It waits in turn, and takes over again.
	require.NoError(r, second.Close(r.ctx()))
	r.publish(b, r.Partition, "m3")
	active.expect("m3").Ack()
}

// sequenceFrom is exactly prefix<from> to prefix<to-1>.
func (in *inbox) sequenceFrom(prefix string, from, to int) {
	in.r.Helper()
	for i := from; i < to; i++ {
		in.expect(fmt.Sprint(prefix, i)).Ack()
	}
}

// takeoverOrder: whoever takes over starts with what the other did not acknowledge, and then goes on, however it ended.
func takeoverOrder(r *rig) {
	const n = 100
	for name, end := range map[string]func(*Proxy, *inbox, bus.Bus){
		"cut":   func(p *Proxy, _ *inbox, _ bus.Bus) { p.Deaf() },
		"close": func(_ *Proxy, _ *inbox, first bus.Bus) { require.NoError(r, first.Close(r.ctx())) },
		"stop":  func(_ *Proxy, in *inbox, _ bus.Bus) { in.stop() },
	} {
		p := r.proxy()
		first, second, b := r.dial(p.Address()), r.dial(""), r.dial("")
		active := r.consume(first, r.Partition, 30)
		waiting := r.consume(second, r.Partition, 30)
		for i := range n {
			r.publish(b, r.Partition, fmt.Sprint(name, i))
		}
		for i := range 10 {
			active.expect(fmt.Sprint(name, i)).Ack()
		}
		if name == "stop" {
			// A stopped consumer settles what it was handed out, and nothing that it was not handed out is skipped.
			end(p, active, first)
			handed := 10
			for len(active.deliveries) > 0 {
				active.expect(fmt.Sprint(name, handed)).Ack()
				handed++
			}
			waiting.sequenceFrom(name, handed, n)
		} else {
			end(p, active, first)
			waiting.resume(name, 10, n)
		}
		require.NoError(r, r.closeNow(second))
		require.NoError(r, r.closeNow(b))
	}
}

// resume is prefix<from> to prefix<to-1> in order; those before from may come first, when their acknowledgement was cut off.
func (in *inbox) resume(prefix string, from, to int) {
	in.r.Helper()
	d := in.next()
	for string(d.Message().Body) != fmt.Sprint(prefix, from) {
		var n int
		_, err := fmt.Sscanf(string(d.Message().Body), prefix+"%d", &n)
		require.NoError(in.r, err)
		require.Less(in.r, n, from, "a younger message came before %s%d", prefix, from)
		d.Ack()
		d = in.next()
	}
	require.True(in.r, d.Redelivered())
	d.Ack()
	in.sequenceFrom(prefix, from+1, to)
}
