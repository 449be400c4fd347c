package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/consul"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// datacentreFile remembers the agent's datacentre: this side is called by it, also where Consul is away at the start.
const datacentreFile = "datacentre"

// askAgain is how often an agent is asked who it is that did not answer at the start.
const askAgain = 3 * time.Second

// itself is what the agent says of itself, or once said. Its methods are safe for concurrent use.
type itself struct {
	file string // where the datacentre is remembered; "" for nowhere

	mu         sync.Mutex
	self       consul.Self
	remembered bool
	cancel     context.CancelFunc
	done       chan struct{}
}

func (i *itself) said() consul.Self {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.self
}

// take keeps what the agent has said, and tells whether that is news.
func (i *itself) take(self consul.Self) (news bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	news, i.self = i.self.Datacentre != self.Datacentre, self
	if i.file == "" || !news && i.remembered {
		return news, nil
	}
	i.remembered = true
	return news, writePrivate(i.file, []byte(self.Datacentre+"\n"))
}

// recall goes by what was once said.
func (i *itself) recall() error {
	if i.file == "" {
		return nil
	}
	text, err := os.ReadFile(i.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.self.Datacentre = strings.TrimSpace(string(text))
	i.remembered = i.self.Datacentre != ""
	return nil
}

// learn asks in the background until somebody answers, and then calls changed if that is not what was known.
func (l *consulLink) learn(changed func()) {
	asking, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	l.itself.mu.Lock()
	l.itself.cancel, l.itself.done = cancel, done
	l.itself.mu.Unlock()
	go func() {
		defer close(done)
		for resilience.Pause(asking, askAgain) == nil {
			self, err := l.client.Self(asking)
			if err != nil {
				continue
			}
			news, err := l.itself.take(self)
			if err != nil {
				l.log.Error("the datacentre can't be written down", "error", err)
			}
			l.log.Info("Consul answers", "datacentre", self.Datacentre)
			if news && changed != nil {
				changed()
			}
			return
		}
	}()
}

func (i *itself) stop() {
	i.mu.Lock()
	cancel, done := i.cancel, i.done
	i.cancel = nil
	i.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// datacentre is the agent's, "" where there is no Consul or it has never answered.
func (l *consulLink) datacentre() string {
	if l == nil {
		return ""
	}
	return l.itself.said().Datacentre
}
