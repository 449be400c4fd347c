package orchestrator

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// wantedFor is how long a resource is measured after somebody has asked.
	wantedFor = time.Minute
	// askAgain is how often the other servers are told that somebody still asks.
	askAgain = 10 * time.Second
	// usageFor is how old an answer may be.
	usageFor = 30 * time.Second
	// usageWait is how long a first answer is waited for.
	usageWait = 12 * time.Second
)

// usages is what resources use that somebody has asked about: in memory only, and measured only while somebody asks.
type usages struct {
	mu       sync.Mutex
	asked    map[[2]string]time.Time // by environment and step
	told     map[[2]string]time.Time // when the other servers were
	measured map[[2]string]measured
	fresh    map[int]bool  // partitions in which something new is asked about
	changed  chan struct{} // closed and replaced when something was measured
}

type measured struct {
	event.ResourceUsage
	at time.Time
}

func newUsages() *usages {
	return &usages{asked: map[[2]string]time.Time{}, told: map[[2]string]time.Time{}, measured: map[[2]string]measured{},
		fresh: map[int]bool{}, changed: make(chan struct{})}
}

// want notes that somebody asks.
func (u *usages) want(environment, step string, partition int, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := [2]string{environment, step}
	if now.Sub(u.asked[key]) > wantedFor {
		u.fresh[partition] = true
	}
	u.asked[key] = now
}

// news tells once that something new is asked about in a partition.
func (u *usages) news(partition int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	fresh := u.fresh[partition]
	delete(u.fresh, partition)
	return fresh
}

func (u *usages) wanted(environment, step string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Sub(u.asked[[2]string{environment, step}]) <= wantedFor
}

// of tells whether anything of an environment is asked about.
func (u *usages) of(environment string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, at := range u.asked {
		if key[0] == environment && now.Sub(at) <= wantedFor {
			return true
		}
	}
	return false
}

func (u *usages) put(m event.ResourceUsage, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := [2]string{m.Environment, m.Step}
	if now.Sub(u.asked[key]) > wantedFor {
		return
	}
	u.measured[key] = measured{m, now}
	close(u.changed)
	u.changed = make(chan struct{})
}

// get is what was measured lately, and a channel that tells of news.
func (u *usages) get(environment, step string, now time.Time) (m measured, ok bool, changed <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	m, ok = u.measured[[2]string{environment, step}]
	return m, ok && now.Sub(m.at) <= usageFor, u.changed
}

// expire forgets what nobody asks about any more.
func (u *usages) expire(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, at := range u.asked {
		if now.Sub(at) > wantedFor {
			delete(u.asked, key)
			delete(u.told, key)
			delete(u.measured, key)
		}
	}
}

// tell is whether the other servers have to be told that somebody asks.
func (u *usages) tell(environment, step string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := [2]string{environment, step}
	if now.Sub(u.told[key]) < askAgain {
		return false
	}
	u.told[key] = now
	return true
}

// Usage tells what a resource uses, and when that was measured. The first to ask waits some seconds until a runner has
// measured it; while somebody asks at least once a minute it is measured every ten seconds. An error is fault.NotMeasured.
func (x *Orchestrator) Usage(ctx context.Context, environment, step string) (event.Usage, error) {
	now := time.Now()
	x.usage.want(environment, step, x.partitionOf(environment), now)
	if x.usage.tell(environment, step, now) {
		m := x.message(bus.Address{Exchange: bus.Control, Key: topicServers}, event.TypeOf(event.UsageWanted), event.WantedUsage{Environment: environment, Step: step})
		m.Transient = true
		x.send(m, "wanted usage")
	}
	ctx, cancel := context.WithTimeout(ctx, usageWait)
	defer cancel()
	for {
		m, ok, changed := x.usage.get(environment, step, time.Now())
		switch {
		case ok && m.Error != "":
			return event.Usage{}, fault.New(fault.Wait, fault.NotMeasured, "%s of environment %q could not be measured: %s", step, environment, m.Error)
		case ok:
			return m.Usage, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return event.Usage{}, fault.New(fault.Wait, fault.NotMeasured, "nobody measures %s of environment %q: its executor can't, no runner "+
				"of its pool is there, or it is not deployed", step, environment)
		}
	}
}

func (x *Orchestrator) heardUsage(name string, data json.RawMessage) {
	switch name {
	case event.UsageWanted:
		var w event.WantedUsage
		if json.Unmarshal(data, &w) == nil && w.Environment != "" {
			x.usage.want(w.Environment, w.Step, x.partitionOf(w.Environment), time.Now())
		}
	case event.UsageReported:
		var m event.ResourceUsage
		if json.Unmarshal(data, &m) == nil && m.Environment != "" {
			x.usage.put(m, time.Now())
		}
	}
}
