package docker

import (
	"context"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// attempts are how often a replica with networks is tried, and lull is before each but the first, as often again as it was tried.
const (
	attempts = 4
	lull     = 50 * time.Millisecond
)

// start makes a replica and starts it. It is tried again where other runners may have made one of its networks once more, or taken it
// away, in that moment: when it is looked for, it can be there once again.
func (w *work) start(ctx context.Context, n int) (found, error) {
	for tried := 1; ; tried++ {
		f, err := w.startOnce(ctx, n)
		if err == nil || ctx.Err() != nil || fault.Is(err, fault.Unavailable) || !w.inNetworks() || tried == attempts {
			return f, err
		}
		if err := replicas.Pause(ctx, lull*time.Duration(tried)); err != nil {
			return f, err
		}
		if err := w.ensureNetworks(ctx); err != nil {
			return f, err
		}
	}
}

func (w *work) startOnce(ctx context.Context, n int) (f found, err error) {
	id, err := w.create(ctx, n)
	if err != nil {
		return f, err
	}
	for _, name := range w.furtherNetworks() {
		if err := w.call(ctx, func(ctx context.Context) error {
			_, err := w.docker.NetworkConnect(ctx, name, client.NetworkConnectOptions{Container: id, EndpointConfig: w.endpoint()})
			return err
		}); err != nil {
			return f, err
		}
	}
	if err := w.copyFiles(ctx, id); err != nil {
		return f, err
	}
	if f, err = w.just(ctx, id, n); err != nil {
		return f, err
	}
	if err := w.run(ctx, f); err != nil {
		return f, w.portInTheWay(ctx, err)
	}
	replicas.Say(w.r, "%s is started", w.name(n))
	return w.just(ctx, id, n)
}

// just looks at a container that was made a moment ago.
func (w *work) just(ctx context.Context, id string, n int) (found, error) {
	f, there, err := w.inspect(ctx, id)
	if err == nil && !there {
		err = fault.New(fault.Retry, fault.NotFound, "somebody has removed %s as soon as it was made", w.name(n))
	}
	return f, err
}

func (w *work) furtherNetworks() []string {
	if len(w.block.Networks) < 2 {
		return nil
	}
	return w.block.Networks[1:]
}

// create makes the container. One of its name that is the step's own is what an earlier attempt left half done; it goes.
func (w *work) create(ctx context.Context, n int) (id string, err error) {
	options := w.spec(n)
	for second := false; ; second = true {
		err = w.call(ctx, func(ctx context.Context) error {
			made, err := w.docker.ContainerCreate(ctx, options)
			id = made.ID
			if cerrdefs.IsConflict(err) {
				return fault.Wrap(err, fault.Retry, fault.Conflict, "a container has the name %q already", options.Name)
			}
			return err
		})
		if !fault.Is(err, fault.Conflict) || second {
			return id, err
		}
		if err := w.clear(ctx, options.Name); err != nil {
			return "", err
		}
	}
}

// clear takes a container of ours out of the way; somebody else's is not touched.
func (w *work) clear(ctx context.Context, name string) error {
	f, there, err := w.inspect(ctx, name)
	if err != nil || !there {
		return err
	}
	if !w.mine(f) {
		return fault.New(fault.GiveUp, fault.Exists,
			"a container %q on Docker at %s is not that of %s but somebody else's (its labels say so): remove or rename it, or give the environment another name",
			name, w.place.shown, w.r.Step)
	}
	return w.discard(ctx, f)
}

// run starts a container, or lets one that is paused go on.
func (w *work) run(ctx context.Context, f found) error {
	return w.call(ctx, func(ctx context.Context) error {
		if f.State.Paused {
			_, err := w.docker.ContainerUnpause(ctx, f.ID, client.ContainerUnpauseOptions{})
			return err
		}
		_, err := w.docker.ContainerStart(ctx, f.ID, client.ContainerStartOptions{})
		if cerrdefs.IsNotModified(err) {
			return nil
		}
		return err
	})
}

// stop gives the container its time to end by itself.
func (w *work) stop(ctx context.Context, f found) error {
	wait := stopTime(f)
	bounded, cancel := context.WithTimeout(ctx, wait+w.options.Timeout)
	defer cancel()
	_, err := w.docker.ContainerStop(bounded, f.ID, client.ContainerStopOptions{Timeout: new(int(wait / time.Second))})
	if cerrdefs.IsNotFound(err) || cerrdefs.IsNotModified(err) {
		return nil
	}
	return w.fault(ctx, err)
}

// stopTime is what the container was made with, or Docker's own 10 seconds.
func stopTime(f found) time.Duration {
	if f.Config.StopTimeout == nil {
		return 10 * time.Second
	}
	return time.Duration(*f.Config.StopTimeout) * time.Second
}

// remove ends a container in an orderly way and removes it, with the volumes that have no name.
func (w *work) remove(ctx context.Context, f found) error {
	if f.State.Running {
		if err := w.stop(ctx, f); err != nil {
			return err
		}
	}
	if err := w.discard(ctx, f); err != nil {
		return err
	}
	replicas.Say(w.r, "%s is removed", f.Called())
	return nil
}

// discard removes a container at once. It succeeds once it is gone, whoever removed it.
func (w *work) discard(ctx context.Context, f found) error {
	for {
		err := w.call(ctx, func(ctx context.Context) error {
			_, err := w.docker.ContainerRemove(ctx, f.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			switch {
			case cerrdefs.IsNotFound(err):
				return nil
			case cerrdefs.IsConflict(err):
				return fault.Wrap(err, fault.Retry, fault.Busy, "%s is being removed by somebody else", f.Called())
			}
			return err
		})
		if !fault.Is(err, fault.Busy) {
			return err
		}
		if err := replicas.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
