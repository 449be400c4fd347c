package plugin

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// longestLine of what a plugin prints is logged in one piece.
const longestLine = 8 << 10

// printed logs what a plugin prints to its standard error, line by line, without the secrets of the requests at work.
type printed struct {
	log *slog.Logger

	mu   sync.Mutex
	rest []byte
	held []*executor.Request
}

// hold keeps a request's secrets out of the log until it is let go.
func (p *printed) hold(r executor.Request) (release func()) {
	held := &executor.Request{Secrets: r.Secrets}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, held)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, h := range p.held {
			if h == held {
				p.held = append(p.held[:i], p.held[i+1:]...)
				return
			}
		}
	}
}

// Write takes a part of the output.
func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, text...)
	for {
		line, rest, whole := bytes.Cut(p.rest, []byte("\n"))
		if !whole && len(line) < longestLine {
			return len(text), nil
		}
		p.rest = append([]byte{}, rest...)
		if said := strings.TrimSpace(string(line)); said != "" {
			for _, h := range p.held {
				said = h.Mask(said)
			}
			p.log.Warn("a plugin says", "line", said)
		}
	}
}
