package servers

import (
	"context"
	"io"
	"net"
	"sync"
)

// gate lets connections to a loopback address into the cluster's network, while it is open.
type gate struct {
	address string
	dial    func(context.Context) (net.Conn, error)

	mu       sync.Mutex
	listener net.Listener
	through  map[net.Conn]bool // both ends of what is connected
	over     sync.WaitGroup
}

// open listens; it does no harm when it is open.
func (g *gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		return err
	}
	g.listener, g.through = l, map[net.Conn]bool{}
	g.over.Go(func() { g.accept(l) })
	return nil
}

// close refuses new connections and ends those that are there.
func (g *gate) close() {
	g.mu.Lock()
	if g.listener != nil {
		_ = g.listener.Close()
		g.listener = nil
	}
	for c := range g.through {
		_ = c.Close()
	}
	g.through = nil
	g.mu.Unlock()
	g.over.Wait()
}

func (g *gate) accept(l net.Listener) {
	for {
		outside, err := l.Accept()
		if err != nil {
			return
		}
		g.over.Go(func() { g.carry(outside) })
	}
}

func (g *gate) carry(outside net.Conn) {
	defer func() { _ = outside.Close() }()
	inside, err := g.dial(context.Background())
	if err != nil {
		return
	}
	defer func() { _ = inside.Close() }()
	if !g.keep(outside, inside) {
		return
	}
	defer g.forget(outside, inside)
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{outside, inside}, {inside, outside}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // ends when either side does
			_, _ = way[0].Close(), way[1].Close()
			done <- struct{}{}
		}()
	}
	<-done
	<-done
}

// keep is false when the gate was closed meanwhile.
func (g *gate) keep(ends ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.through == nil {
		return false
	}
	for _, c := range ends {
		g.through[c] = true
	}
	return true
}

func (g *gate) forget(ends ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range ends {
		delete(g.through, c)
	}
}
