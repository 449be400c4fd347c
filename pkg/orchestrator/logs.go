package orchestrator

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const logsPrefetch = 256

// logWriter keeps log lines, as many batches in one transaction as came while the one before was written.
type logWriter struct {
	x       *Orchestrator
	mu      sync.Mutex
	waiting []bus.Delivery
	lines   []event.Logs
	writing bool
}

func (x *Orchestrator) newLogWriter() func(bus.Delivery) {
	w := &logWriter{x: x}
	return w.deliver
}

func (w *logWriter) deliver(d bus.Delivery) {
	e, err := event.Decode(d.Message().Body)
	var l event.Logs
	if err == nil {
		err = json.Unmarshal(e.Data, &l)
	}
	if err != nil {
		d.Dead(string(fault.Unreadable), "not a batch of log lines")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.lines = append(w.waiting, d), append(w.lines, l)
	if !w.writing {
		w.writing = true
		w.x.running.Go(w.write)
	}
}

func (w *logWriter) write() {
	for {
		w.mu.Lock()
		deliveries, lines := w.waiting, w.lines
		w.waiting, w.lines = nil, nil
		w.writing = len(deliveries) > 0
		w.mu.Unlock()
		if len(deliveries) == 0 {
			return
		}
		w.keep(deliveries, lines)
	}
}

// keep writes batches together; when one of them can never be kept, each by itself, so that it holds up no other.
func (w *logWriter) keep(deliveries []bus.Delivery, lines []event.Logs) {
	err := w.x.Store.AppendLogs(w.x.run, lines...)
	switch {
	case err == nil:
		for _, d := range deliveries {
			d.Ack()
		}
	case !fault.Is(err, fault.Invalid):
		w.x.Log.Warn("log lines can't be kept now; tried again", "error", err)
		for _, d := range deliveries {
			d.Requeue(time.Second)
		}
	case len(deliveries) == 1:
		d := fault.From(err)
		w.x.Log.Warn("log lines that can't be kept", "error", err)
		deliveries[0].Dead(string(d.Code), d.Message)
	default:
		for i := range deliveries {
			w.keep(deliveries[i:i+1], lines[i:i+1])
		}
	}
}
