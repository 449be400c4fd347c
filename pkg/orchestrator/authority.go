package orchestrator

import (
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// authority is how long this side may act: what this server knows itself, and what the other servers of the side say. Their
// clocks have to agree better than the margin that a takeover waits for.
type authority struct {
	own func(now time.Time) (left time.Duration, always bool, err error) // nil: always

	mu     sync.Mutex
	others map[string]time.Time // server -> until when
	silent bool                 // that it may not act was said
	over   bool                 // the side has stepped down
}

// Left is how long this side may act from now on, or why it may not.
func (a *authority) left(now time.Time) (left time.Duration, always bool, err error) {
	if a.ended() {
		return 0, false, fault.New(fault.Wait, fault.AuthorityLost, "this side has stepped down")
	}
	if a.own == nil {
		return 0, true, nil
	}
	if left, always, err = a.own(now); always {
		return left, always, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for server, until := range a.others {
		if more := until.Sub(now); more <= 0 {
			delete(a.others, server)
		} else if more > left {
			left, err = more, nil
		}
	}
	return left, false, err
}

// end has this side act no more, whatever others say.
func (a *authority) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

func (a *authority) ended() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// hear takes what another server of the side knows.
func (a *authority) hear(s event.ServerPresence) {
	if a.own == nil || s.Until == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.others == nil {
		a.others = map[string]time.Time{}
	}
	a.others[s.Server] = *s.Until
}

// until is what this server knows itself, for the others; nil when it knows of no bound, or may not act.
func (a *authority) until(now time.Time) *time.Time {
	if a.own == nil || a.ended() {
		return nil
	}
	left, always, err := a.own(now)
	if always || err != nil {
		return nil
	}
	until := now.Add(left).UTC()
	return &until
}

// MayAct is how long this side may act from a moment on as far as it is known now, or why it may not (fault.AuthorityLost): always,
// where nobody has to be asked. It is safe for concurrent use.
func (x *Orchestrator) MayAct(now time.Time) (left time.Duration, always bool, err error) {
	return x.authority.left(now)
}

// mayAct is why nothing may be done now, nil when it may.
func (x *Orchestrator) mayAct() error {
	_, _, err := x.authority.left(time.Now())
	return err
}

// turned tells whether it has just become so, or not so any more, that this side may not act.
func (a *authority) turned(silent bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	turned := a.silent != silent
	a.silent = silent
	return turned
}

// word tells the runners that this side may act, and for how long, or that it may not.
func (x *Orchestrator) word(now time.Time) { x.send(x.wordAt(now), "word of authority") }

func (x *Orchestrator) wordAt(now time.Time) bus.Message {
	left, always, err := x.authority.left(now)
	if x.authority.turned(err != nil) {
		if err != nil {
			x.Log.Error("this side may not act any more: it takes no commands and offers nothing, and runners stop their work", "error", err)
		} else {
			x.Log.Warn("this side may act again")
		}
	}
	w := event.Authority{Server: x.Server, Epoch: x.Epoch, Unbounded: always, Left: left}
	if !always && err == nil {
		w.Heard = map[string]time.Time{}
		for _, a := range x.runners.list() {
			w.Heard[a.Runner] = a.Time
		}
	}
	m := x.message(bus.Address{Exchange: bus.Control, Key: topicRollCall}, event.TypeOf(event.ClusterAuthority), w)
	m.Expires, m.Transient = 5*time.Second, true
	return m
}

// held is why no step may be offered although this side acts: the other one's work may not have ended.
func (x *Orchestrator) held() *environment.Reason {
	if x.draining.Load() {
		return &environment.Reason{Code: environment.BecauseTakeover, Detail: "another side is about to take over"}
	}
	if x.OfferFrom.IsZero() || !time.Now().Before(x.OfferFrom) {
		return nil
	}
	until := x.OfferFrom.UTC()
	return &environment.Reason{Code: environment.BecauseTakeover, Detail: "the side that was lost may still be at work", Until: &until}
}

// lostAuthority tells whether a turn failed since this side may not act.
func lostAuthority(err error) bool { return fault.Is(err, fault.AuthorityLost) }
