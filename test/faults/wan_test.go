package faults

import (
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// wan is all that goes from one side of a dual to the other: what servers say over HTTP, and what Consuls say over TCP and UDP.
// Within a side nothing goes over it.
type wan struct {
	wires   []*proxy
	packets []*packets
}

// address of a side on the WAN: the loopback has many.
func (w *wan) address(side int) string { return "127.0.0." + strconv.Itoa(2+side) }

// join puts proxies where a Consul says that it is reached from other datacentres.
func (w *wan) join(t *testing.T, side int, c *servers.Consul) {
	t.Helper()
	rpc, gossip := c.WANPorts()
	for _, port := range []int{rpc, gossip} {
		l, err := net.Listen("tcp", net.JoinHostPort(w.address(side), strconv.Itoa(port)))
		require.NoError(t, err)
		w.wires = append(w.wires, proxyOn(t, l, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))))
	}
	w.packets = append(w.packets, newPackets(t, net.JoinHostPort(w.address(side), strconv.Itoa(gossip)), net.JoinHostPort("127.0.0.1", strconv.Itoa(gossip))))
}

// server is where the other side finds a server that listens on an address.
func (w *wan) server(t *testing.T, listen string) string {
	t.Helper()
	p := newProxy(t, listen)
	w.wires = append(w.wires, p)
	return p.listener.Addr().String()
}

func (w *wan) cut() {
	for _, p := range w.packets {
		p.lost.Store(true)
	}
	for _, p := range w.wires {
		p.cut()
	}
}

// open lets new connections through; what was held back is lost, as it is once hosts have given up on it.
func (w *wan) open() {
	for _, p := range w.packets {
		p.lost.Store(false)
	}
	for _, p := range w.wires {
		p.reset()
		p.open()
	}
}

// packets passes datagrams on, in one direction, or loses them. Who answers goes by the address that the sender says it has.
type packets struct {
	lost    atomic.Bool
	running sync.WaitGroup
}

func newPackets(t *testing.T, listen, target string) *packets {
	t.Helper()
	in, err := net.ListenPacket("udp", listen)
	require.NoError(t, err)
	out, err := net.Dial("udp", target)
	require.NoError(t, err)
	p := &packets{}
	p.running.Go(func() {
		buffer := make([]byte, 64<<10)
		for {
			n, _, err := in.ReadFrom(buffer)
			if err != nil {
				return
			}
			if !p.lost.Load() {
				_, _ = out.Write(buffer[:n])
			}
		}
	})
	t.Cleanup(func() {
		_ = in.Close()
		p.running.Wait()
		_ = out.Close()
	})
	return p
}
