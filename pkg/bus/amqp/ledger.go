package amqp

import (
	"context"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// ledger knows the deliveries of one channel that are handed out, and writes what becomes of them: acknowledgements
// of neighbours as one.
type ledger struct {
	ch      *amqp091.Channel
	lost    chan *amqp091.Error
	wake    chan struct{}
	ended   chan struct{} // closed when nothing more is written
	retired chan struct{} // closed when nothing more is handed out, and what is left may be written until all is settled
	finish  chan struct{} // closed when what is settled by now is all that is written

	mu      sync.Mutex
	open    []*delivery // in the order of their tags; the first is not settled
	settled []*delivery // not written yet
	left    int         // handed out and not settled
	calm    chan struct{}
}

func newLedger(ch *amqp091.Channel) *ledger {
	l := &ledger{
		ch:      ch,
		lost:    ch.NotifyClose(make(chan *amqp091.Error, 1)),
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		retired: make(chan struct{}),
		finish:  make(chan struct{}),
	}
	go l.run()
	return l
}

// add takes a delivery that is about to be handed out.
func (l *ledger) add(d *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, d)
	l.left++
}

// settle is called once for each delivery that was added, when it is known what becomes of it.
func (l *ledger) settle(d *delivery, v verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.verdict = v
	l.settled = append(l.settled, d)
	if l.left--; l.left == 0 && l.calm != nil {
		close(l.calm)
		l.calm = nil
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// quiet is closed once all that was handed out so far is settled. To be asked for once.
func (l *ledger) quiet() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	calm := make(chan struct{})
	if l.left == 0 {
		close(calm)
	} else {
		l.calm = calm
	}
	return calm
}

func (l *ledger) run() {
	defer close(l.ended)
	retired := l.retired
	for {
		select {
		case <-l.wake:
		case <-retired:
			retired = nil // once
		case <-l.finish:
			l.flush()
			return
		case <-l.lost:
			return
		}
		if l.flush() && retired == nil {
			return
		}
	}
}

// flush writes what is settled. Errors need no handling: they mean that the channel has ended, and then the broker
// delivers again. It tells whether nothing is left.
func (l *ledger) flush() (empty bool) {
	l.mu.Lock()
	batch := l.settled
	l.settled = nil
	for _, d := range batch {
		d.written = true
	}
	// Up to here, all is settled: the last acknowledgement of the batch in it can stand for those before it.
	var through uint64
	n := 0
	for n < len(l.open) && l.open[n].written {
		through = l.open[n].tag
		l.open[n] = nil
		n++
	}
	l.open = l.open[n:]
	empty = l.left == 0 && len(l.settled) == 0
	l.mu.Unlock()
	l.write(batch, through)
	return empty
}

func (l *ledger) write(batch []*delivery, through uint64) {
	var last *delivery
	several := false
	for _, d := range batch {
		switch {
		case d.verdict == again:
			_ = l.ch.Nack(d.tag, false, true)
		case d.tag > through:
			_ = l.ch.Ack(d.tag, false)
		default:
			several = several || last != nil
			if last == nil || d.tag > last.tag {
				last = d
			}
		}
	}
	if last != nil {
		_ = l.ch.Ack(last.tag, several)
	}
}

// end stops writing, after what is settled by now, and waits for that.
func (l *ledger) end(ctx context.Context) {
	select {
	case l.finish <- struct{}{}:
	case <-l.ended:
	case <-ctx.Done():
	}
	select {
	case <-l.ended:
	case <-ctx.Done():
	}
}
