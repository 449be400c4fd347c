package docker

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"github.com/moby/moby/api/types/network"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// reachable refuses a check that the runner could never make.
func (w *work) reachable(context.Context) error {
	port := w.block.Health.Port()
	if port == 0 || w.place.local && w.firstNetwork() != network.NetworkNone {
		return nil
	}
	for _, p := range w.block.Ports {
		if p.Container == port && p.Protocol == container.TCP {
			return nil
		}
	}
	return container.Invalid(w.r, "health asks port %d, which the runner can't reach, since Docker is at %s and the port is not published: add port { container = %d }, or let health be a command",
		port, w.place.shown, port)
}

// ping asks once; "" is the answer of a healthy container, else it says what was wrong.
func (w *work) ping(ctx context.Context, f found) string {
	at := w.probeAddress(f)
	if at == "" {
		return "it has no address"
	}
	return w.probe.Ping(ctx, *w.block.Health, at)
}

// probeAddress is the container's own address where it can be reached, else the published port.
func (w *work) probeAddress(f found) string {
	port := w.block.Health.Port()
	if !w.place.local {
		if n := f.published(container.Port{Container: port, Protocol: container.TCP}); n != 0 {
			return net.JoinHostPort(w.place.host, strconv.Itoa(n))
		}
		return ""
	}
	if w.firstNetwork() == network.NetworkHost {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	if address := f.address(w.firstNetwork()); address.IsValid() {
		return net.JoinHostPort(address.String(), strconv.Itoa(port))
	}
	return ""
}

// address in a network; not valid while the container does not run.
func (f found) address(in string) (none netip.Addr) {
	if f.NetworkSettings == nil || f.NetworkSettings.Networks[in] == nil {
		return none
	}
	return f.NetworkSettings.Networks[in].IPAddress
}

// published is the port of the host, 0 for none.
func (f found) published(p container.Port) int {
	if f.NetworkSettings == nil {
		return 0
	}
	for _, binding := range f.NetworkSettings.Ports[portOf(p)] {
		if n, err := strconv.Atoi(binding.HostPort); err == nil {
			return n
		}
	}
	return 0
}
