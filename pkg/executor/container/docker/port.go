package docker

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// free looks that no container but the old ones has a port of the host that the block wants: before one of those is stopped
// for nothing.
func (w *work) free(ctx context.Context, old []found) error {
	for _, p := range w.block.Ports {
		if p.Host == 0 {
			continue
		}
		var listed client.ContainerListResult
		if err := w.call(ctx, func(ctx context.Context) (err error) {
			listed, err = w.docker.ContainerList(ctx, client.ContainerListOptions{})
			return err
		}); err != nil {
			return err
		}
		for _, c := range listed.Items {
			ours := slices.ContainsFunc(old, func(f found) bool { return f.ID == c.ID })
			if !ours && publishes(c, p) {
				return w.taken(nil, p, "the container "+strings.TrimPrefix(strings.Join(c.Names, ", "), "/"))
			}
		}
	}
	return nil
}

func publishes(c dcontainer.Summary, p container.Port) bool {
	return slices.ContainsFunc(c.Ports, func(s dcontainer.PortSummary) bool { return int(s.PublicPort) == p.Host && s.Type == p.Protocol })
}

// portInTheWay finds out whether a start failed for a port that a program has which is no container; the engine's answer
// does not tell that in a way that can be told from others.
func (w *work) portInTheWay(ctx context.Context, err error) error {
	if !w.place.local || !fault.Is(err, fault.ExecutorFailed) || ctx.Err() != nil {
		return err
	}
	for _, p := range w.block.Ports {
		if p.Host != 0 && p.Protocol == container.TCP && occupied(ctx, p.Host) {
			return w.taken(err, p, "another program on the host")
		}
	}
	return err
}

func occupied(ctx context.Context, port int) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	if err == nil {
		_ = l.Close()
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

func (w *work) taken(cause error, p container.Port, by string) error {
	return fault.Wrap(cause, fault.GiveUp, fault.Conflict,
		"the port %d of the host, which %s wants for its port %s, is taken by %s on Docker at %s: choose another, or leave host out to get one that is free",
		p.Host, w.r.Step, p.Key(), by, w.place.shown)
}
