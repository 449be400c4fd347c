package faults

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between processes and the broker. It can hold back what flows, as a network that is cut does (whoever
// comes back finds it delivered late), keep the broker's answers to itself, and reset connections.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	conns   map[net.Conn]struct{} // both ends
	gate    chan struct{}         // closed when both directions flow
	answers chan struct{}         // closed when the broker's answers flow
	running sync.WaitGroup

	altering atomic.Bool // of what is answered, a bit is another one now and then
}

func newProxy(t *testing.T, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return proxyOn(t, l, target)
}

func proxyOn(t *testing.T, l net.Listener, target string) *proxy {
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}, gate: make(chan struct{}), answers: make(chan struct{})}
	close(p.gate)
	close(p.answers)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.open()
		p.reset()
		p.running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "amqp://guest:guest@" + p.listener.Addr().String() + "/" }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	p.wait(true) // while nothing flows, nobody is met either
	var d net.Dialer
	broker, err := d.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		_ = client.Close() // the broker is down, and so is whoever stands before it
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[broker] = struct{}{}, struct{}{}
	p.mu.Unlock()
	p.running.Go(func() { p.copy(client, broker, true) })
	p.copy(broker, client, false)
}

// copy passes on what comes, when it may, until either end is gone.
func (p *proxy) copy(to, from net.Conn, answers bool) {
	defer p.drop(to, from)
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.wait(answers)
			if answers && p.altering.Load() && rand.IntN(8) == 0 {
				buffer[rand.IntN(n)] ^= 1
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) wait(answers bool) {
	p.mu.Lock()
	gate, held := p.gate, p.answers
	p.mu.Unlock()
	<-gate
	if answers {
		<-held
	}
}

func (p *proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		_ = c.Close()
	}
}

// cut holds back all that flows, in both directions, and new connections with it.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

// mute holds back the broker's answers: what is published arrives, and its confirm does not.
func (p *proxy) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = make(chan struct{})
}

// open lets everything flow again.
func (p *proxy) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, gate := range []chan struct{}{p.gate, p.answers} {
		select {
		case <-gate:
		default:
			close(gate)
		}
	}
}

// reset ends all connections at once, with what was held back.
func (p *proxy) reset() (ended int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
		ended++
	}
	return ended / 2
}
