package orchestrator

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// Topics of the control exchange on which servers and runners tell that they are there.
const (
	topicServers  = "servers"
	topicRunners  = "runners"
	topicRollCall = "roll-call"
)

// A server that was not heard for peerGone is gone; one that came or went has to stay so for peerSettled before
// partitions are handed over because of it.
const (
	peerGone    = 3500 * time.Millisecond
	peerSettled = 3 * time.Second
)

// peers are the servers that are heard, this one among them. Taking over from a dead one needs no agreement (the broker
// makes the next consumer the active one); spreading the load does: each server leaves the partitions that are another's
// by the same rule.
type peers struct {
	self    string
	mu      sync.Mutex
	heard   map[string]time.Time
	changed time.Time
}

func newPeers(self string) *peers {
	return &peers{self: self, heard: map[string]time.Time{}}
}

func (p *peers) alive(s event.ServerPresence, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.heard[s.Server]
	if s.Leaving {
		delete(p.heard, s.Server)
	} else {
		p.heard[s.Server] = now
	}
	if known == s.Leaving {
		p.changed = now
	}
}

// others tells whose a partition is by the rule, "" while it is this server's or it is too early to say.
func (p *peers) owner(partition int, now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	servers := []string{p.self}
	for s, heard := range p.heard {
		switch {
		case s == p.self:
		case now.Sub(heard) > peerGone:
			delete(p.heard, s)
			p.changed = now
		default:
			servers = append(servers, s)
		}
	}
	if now.Sub(p.changed) < peerSettled {
		return ""
	}
	slices.Sort(servers)
	if owner := servers[partition%len(servers)]; owner != p.self {
		return owner
	}
	return ""
}

// listen hears servers and runners, and asks the runners to speak up.
func (x *Orchestrator) listen(ctx context.Context) error {
	topics := []bus.Address{{Exchange: bus.Control, Key: topicServers}, {Exchange: bus.Control, Key: topicRunners}}
	l, err := x.Bus.Listen(ctx, topics, x.heardControl)
	if err != nil {
		return err
	}
	x.control = l
	m := x.message(bus.Address{Exchange: bus.Control, Key: topicRollCall}, event.TypeOf(event.RunnerRollCall), struct{}{})
	m.Transient = true
	x.send(m, "roll call")
	return nil
}

func (x *Orchestrator) heardControl(m *bus.Message) {
	e, err := event.Decode(m.Body)
	if err != nil {
		x.Log.Warn("a message on the control exchange can't be read", "error", err)
		return
	}
	switch name, _ := event.NameOf(e.Type); name {
	case event.RunnerAlive:
		x.heardRunner(e.Data)
	case event.ServerAlive:
		var s event.ServerPresence
		if json.Unmarshal(e.Data, &s) == nil && s.Server != "" {
			x.peers.alive(s, time.Now())
			x.authority.hear(s)
		}
	default:
		x.heardUsage(name, e.Data)
	}
}

// present tells the other servers that this one is there.
func (x *Orchestrator) present(leaving bool) {
	m := x.message(bus.Address{Exchange: bus.Control, Key: topicServers}, event.TypeOf(event.ServerAlive),
		event.ServerPresence{Server: x.Server, Owned: x.owned(), Until: x.authority.until(time.Now()), Leaving: leaving, Time: time.Now().UTC()})
	m.Transient = true
	x.send(m, "presence")
}

// balance leaves what is another server's by the rule: one partition at a time, so that most are always served.
func (x *Orchestrator) balance(now time.Time) {
	if x.draining.Load() {
		return
	}
	for _, p := range x.partitions {
		owner := x.peers.owner(p.number, now)
		if owner == "" || !p.isOwned() {
			continue
		}
		x.Log.Debug("leaving a partition to another server", "partition", p.number, "server", owner)
		ctx, cancel := context.WithTimeout(x.run, 5*time.Second)
		if err := p.leave(ctx); err != nil {
			x.Log.Warn("a partition could not be left", "partition", p.number, "error", err)
		}
		cancel()
		return
	}
}
