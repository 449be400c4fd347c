package nats

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// confirm takes the server's answer to a message.
func (p *pipeline) confirm(n *client.Msg) {
	number, err := strconv.ParseUint(strings.TrimPrefix(n.Subject, p.inbox), 36, 64)
	if err != nil {
		return
	}
	p.mu.Lock()
	it := p.sent[number]
	delete(p.sent, number)
	p.mu.Unlock()
	if it == nil {
		return // reported before, when the connection was lost
	}
	p.finish(it, verdict(it, n))
	p.settle()
}

// answer is what JetStream says of a message.
type answer struct {
	Stream string `json:"stream"`
	Error  *struct {
		Code        int    `json:"code"`
		Description string `json:"description"`
	} `json:"error"`
}

func verdict(it *item, n *client.Msg) error {
	if n.Header.Get("Status") == "503" {
		return fault.New(fault.GiveUp, fault.NotFound, "there is no queue or exchange for %q on the NATS server; has a server declared it?", it.m.Subject)
	}
	var a answer
	if err := json.Unmarshal(n.Data, &a); err != nil {
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "the NATS server's answer can't be read")
	}
	switch {
	case a.Error == nil && a.Stream != "":
		return nil
	case a.Error != nil && a.Error.Code >= 400 && a.Error.Code < 500:
		return fault.New(fault.GiveUp, fault.Invalid, "the NATS server refuses the message: %s", a.Error.Description)
	case a.Error != nil:
		return fault.Wrap(errors.Join(driver.ErrRefused, errors.New(a.Error.Description)), fault.Retry, fault.Unavailable, "the NATS server could not store the message")
	default:
		return driver.ErrRefused
	}
}

// flush confirms what is not stored: the server has read what was sent before a ping when it answers the ping.
func (p *pipeline) flush() {
	for {
		select {
		case <-p.wake:
		case <-p.stop:
			return
		}
		p.mu.Lock()
		core := p.core
		p.core, p.busy = nil, len(core)
		p.mu.Unlock()
		err := p.b.nc.FlushTimeout(requestTimeout)
		if err != nil {
			err = driver.ErrLost
		}
		for _, it := range core {
			p.finish(it, err)
		}
		p.mu.Lock()
		p.busy = 0
		p.mu.Unlock()
		p.settle()
	}
}

// watch gives up on confirms that do not come although the connection lives, as when a cluster has changed its leader.
func (p *pipeline) watch() {
	tick := time.NewTicker(confirmTimeout / 4)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			for _, it := range p.overdue(now.Add(-confirmTimeout)) {
				p.finish(it, driver.ErrLost)
			}
			p.settle()
		}
	}
}

func (p *pipeline) overdue(since time.Time) (overdue []*item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for number, it := range p.sent {
		if it.at.Before(since) {
			overdue = append(overdue, it)
			delete(p.sent, number)
		}
	}
	return overdue
}
