package docker

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/network"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// probePort is the port that the runner asks, 0 for none.
func (w *work) probePort() int {
	h := w.block.Health
	switch {
	case h == nil:
		return 0
	case h.HTTP != nil:
		return h.HTTP.Port
	case h.TCP != nil:
		return h.TCP.Port
	}
	return 0
}

// reachable refuses a check that the runner could never make.
func (w *work) reachable(context.Context) error {
	port := w.probePort()
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
	ctx, cancel := context.WithTimeout(ctx, time.Duration(w.block.Health.Timeout))
	defer cancel()
	if w.block.Health.HTTP != nil {
		return w.get(ctx, "http://"+at+w.block.Health.HTTP.Path)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err != nil {
		return fmt.Sprintf("port %d accepts no connection", w.probePort())
	}
	_ = conn.Close()
	return ""
}

func (w *work) get(ctx context.Context, url string) string {
	h := w.block.Health.HTTP
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Sprintf("%q is no path that can be asked for", h.Path)
	}
	answer, err := w.probe.Do(request)
	if err != nil {
		return fmt.Sprintf("%s on port %d does not answer", h.Path, h.Port)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 200 && answer.StatusCode < 400 {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, shownBytes))
	return fmt.Sprintf("%s on port %d answers %s %q", h.Path, h.Port, answer.Status, text)
}

// probeAddress is the container's own address where it can be reached, else the published port.
func (w *work) probeAddress(f found) string {
	port := w.probePort()
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
