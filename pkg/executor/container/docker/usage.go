package docker

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Usage asks the engine about all replicas at once; it takes a second or two, in which the engine measures.
func (e *Executor) Usage(ctx context.Context, r executor.Request) (event.Usage, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return event.Usage{}, err
	}
	all, err := w.list(ctx)
	if err != nil {
		return event.Usage{}, err
	}
	replicas := make([]event.ReplicaUsage, len(all))
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, f := range all {
		wg.Go(func() { replicas[i], errs[i] = w.usage(ctx, f) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return event.Usage{}, err
		}
	}
	return event.Usage{Time: time.Now().UTC(), Replicas: byName(replicas)}, nil
}

// usage of one container; one that does not run uses nothing.
func (w *work) usage(ctx context.Context, f found) (event.ReplicaUsage, error) {
	u := event.ReplicaUsage{Name: f.Called(), State: string(f.State.Status), MemoryLimit: f.HostConfig.Memory}
	if !f.State.Running {
		return u, nil
	}
	var s dcontainer.StatsResponse
	err := w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.ContainerStats(ctx, f.ID, client.ContainerStatsOptions{IncludePreviousSample: true})
		if cerrdefs.IsNotFound(err) {
			return nil // it has just ended
		}
		if err != nil {
			return err
		}
		defer func() { _ = got.Body.Close() }()
		return json.NewDecoder(got.Body).Decode(&s)
	})
	u.CPU, u.Memory = cores(s), memory(s)
	for _, n := range s.Networks {
		u.NetworkReceived += int64(n.RxBytes) //nolint:gosec // no counter comes near the end of an int64
		u.NetworkSent += int64(n.TxBytes)     //nolint:gosec // the same
	}
	return u, err
}

// cores are what the container used between the two samples, of all that the machine's processors had.
func cores(s dcontainer.StatsResponse) float64 {
	used := float64(s.CPUStats.CPUUsage.TotalUsage) - float64(s.PreCPUStats.CPUUsage.TotalUsage)
	all := float64(s.CPUStats.SystemUsage) - float64(s.PreCPUStats.SystemUsage)
	if used <= 0 || all <= 0 || s.PreCPUStats.SystemUsage == 0 {
		return 0
	}
	return used / all * float64(s.CPUStats.OnlineCPUs)
}

// memory is what the container holds, less the cache that the kernel takes back when it needs to, as Docker's tools show it.
func memory(s dcontainer.StatsResponse) int64 {
	m := s.MemoryStats
	cache, ok := m.Stats["total_inactive_file"] // of version 1 of the control groups
	if !ok {
		cache = m.Stats["inactive_file"]
	}
	return int64(m.Usage - min(cache, m.Usage)) //nolint:gosec // no machine has that much memory
}
