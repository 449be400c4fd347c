package runner

import (
	"context"
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// control hears the servers: welcomes to the listener's address, and what is said to all runners of a pool.
func (r *Runner) control(m *bus.Message) {
	envelope, err := event.Decode(m.Body)
	if err != nil {
		r.log.Warn("a message to the runners can't be read", "error", err)
		return
	}
	if envelope.Epoch != nil && *envelope.Epoch < r.epoch.Load() {
		r.log.Warn("a message of an older epoch is ignored", "type", envelope.Type, "epoch", *envelope.Epoch)
		return
	}
	switch envelope.Type {
	case event.TypeOf(event.TaskCancel):
		var c event.CancelTask
		if err = json.Unmarshal(envelope.Data, &c); err == nil {
			r.cancelTask(c)
		}
	case event.TypeOf(event.WatchesLeased):
		var w event.Watches
		if err = json.Unmarshal(envelope.Data, &w); err == nil && r.raiseEpoch(w.Epoch) {
			r.watching.lease(w)
		}
	case event.TypeOf(event.ClusterAuthority):
		var w event.Authority
		if err = json.Unmarshal(envelope.Data, &w); err == nil {
			r.authority(w)
		}
	case event.TypeOf(event.RunnerRollCall):
		r.tellNews()
	case event.TypeOf(event.RunnerWelcome):
		var w event.Welcome
		if err = json.Unmarshal(envelope.Data, &w); err == nil {
			err = r.enter(&w)
		}
	default:
		r.log.Debug("a message to the runners is of no known type", "type", envelope.Type)
	}
	if err != nil {
		r.log.Warn("a message to the runners can't be used", "type", envelope.Type, "error", err)
	}
}

// enter takes what a server says to a runner that it welcomes.
func (r *Runner) enter(w *event.Welcome) error {
	if r.o.Box == nil && len(w.WrappedKey) > 0 && w.Epoch >= r.epoch.Load() {
		box, err := secret.Unwrap(w.WrappedKey, r.public, r.private)
		if err != nil {
			return err
		}
		r.box.Store(box)
	}
	if !r.raiseEpoch(w.Epoch) {
		r.log.Warn("the welcome of an older epoch is ignored", "cluster", w.Cluster, "epoch", w.Epoch)
		return nil
	}
	if w.HeartbeatEvery > 0 {
		r.beat.Store(int64(min(max(w.HeartbeatEvery, shortHeartbeat), longHeartbeat)))
	}
	if r.welcome.Swap(w) == nil {
		r.log.Info("welcomed", "cluster", w.Cluster, "epoch", w.Epoch)
	}
	select {
	case r.welcomed <- struct{}{}:
	default:
	}
	return nil
}

// announce says hello until it is welcomed, and again later and after a reconnect, because the server may have become
// another one. It begins to take tasks as soon as there is a key to open them with.
func (r *Runner) announce() {
	ticker := time.NewTicker(helloEvery)
	defer ticker.Stop()
	if r.Box() == nil {
		r.log.Info("waiting for a server's welcome before any task is taken", "runner", r.id)
	}
	var last time.Time
	var since time.Time
	for {
		if status := r.o.Bus.Status(); status.Connected &&
			(r.welcome.Load() == nil || time.Since(last) >= helloAgain || !status.Since.Equal(since)) {
			last, since = time.Now(), status.Since
			r.hello()
		}
		select {
		case <-ticker.C:
		case <-r.welcomed:
		case <-r.living.Done():
			return
		}
		if r.Box() != nil && r.taking.Err() == nil && r.consuming() < len(r.o.Pools) {
			if err := r.consume(r.taking); err != nil && r.taking.Err() == nil {
				r.log.Warn("no tasks can be taken yet", "error", err)
			}
			r.tellNews()
		}
	}
}

// hello lapses before the next one, so that none pile up while no server is there.
func (r *Runner) hello() {
	lapse := helloEvery
	if r.welcome.Load() != nil {
		lapse = helloAgain
	}
	m := r.message(bus.Runners, event.RunnerHello, event.Envelope{}, event.Hello{
		Name: r.o.Name, Runner: r.id, Pools: r.o.Pools, Executors: r.executorNames(), Probes: r.probes(), Version: r.o.Version, PublicKey: r.public[:],
	})
	m.ReplyTo, m.Expires, m.Transient = r.listener.Address(), 2*lapse, true
	ctx, cancel := context.WithTimeout(r.living, helloEvery)
	defer cancel()
	if err := r.o.Bus.Publish(ctx, m); err != nil && r.living.Err() == nil {
		r.log.Warn("the servers can't be reached", "error", err)
	}
}
