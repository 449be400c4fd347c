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
		err := w.x.Store.AppendLogs(w.x.run, lines...)
		if err != nil {
			w.x.Log.Warn("log lines can't be kept now; tried again", "error", err)
		}
		for _, d := range deliveries {
			if err != nil {
				d.Requeue(time.Second)
			} else {
				d.Ack()
			}
		}
	}
}
