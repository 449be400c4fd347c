package docker

import (
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

func (w *work) name(n int) string { return replicas.Name(w.r, n, w.hash) }

// spec is what the engine is told about a replica.
func (w *work) spec(replica int) client.ContainerCreateOptions {
	ports, bindings := w.ports()
	options := client.ContainerCreateOptions{
		Name: w.name(replica),
		Config: &dcontainer.Config{
			Image: w.block.Image, Cmd: w.block.Command, Entrypoint: w.block.Entrypoint, Env: w.env(), User: w.block.User,
			WorkingDir: w.block.Workdir, Labels: w.labels(replica), ExposedPorts: ports, Healthcheck: w.healthcheck(),
			StopTimeout: new(w.stopSeconds()),
		},
		HostConfig: &dcontainer.HostConfig{
			RestartPolicy: dcontainer.RestartPolicy{Name: dcontainer.RestartPolicyMode(w.block.Restart)},
			NetworkMode:   dcontainer.NetworkMode(w.firstNetwork()), PortBindings: bindings, Mounts: w.mounts(), Resources: w.resources(),
		},
	}
	if first := w.firstNetwork(); !predefined(first) {
		options.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{first: w.endpoint()}}
	}
	return options
}

func (w *work) env() []string {
	env := make([]string, 0, len(w.block.Env))
	for _, name := range slices.Sorted(maps.Keys(w.block.Env)) {
		env = append(env, name+"="+w.block.Env[name])
	}
	return env
}

func (w *work) ports() (network.PortSet, network.PortMap) {
	set, bindings := network.PortSet{}, network.PortMap{}
	for _, p := range w.block.Ports {
		port := portOf(p)
		host := ""
		if p.Host != 0 {
			host = strconv.Itoa(p.Host)
		}
		set[port] = struct{}{}
		bindings[port] = []network.PortBinding{{HostIP: netip.Addr{}, HostPort: host}}
	}
	return set, bindings
}

func portOf(p container.Port) network.Port {
	port, _ := network.PortFrom(uint16(p.Container), network.IPProtocol(p.Protocol)) //nolint:gosec // Decode has seen to its bounds
	return port
}

func (w *work) mounts() []mount.Mount {
	var mounts []mount.Mount
	for _, v := range w.block.Volumes {
		m := mount.Mount{Type: mount.TypeVolume, Source: v.Name, Target: v.Path, ReadOnly: v.ReadOnly}
		if v.HostPath != "" {
			m.Type, m.Source = mount.TypeBind, v.HostPath
		}
		mounts = append(mounts, m)
	}
	return mounts
}

func (w *work) resources() dcontainer.Resources {
	memory := int64(w.block.Limits.Memory)
	// Memory and swap together: a limit that swap can get around is none.
	return dcontainer.Resources{NanoCPUs: int64(math.Round(w.block.Limits.CPU * 1e9)), Memory: memory, MemorySwap: memory}
}

// healthcheck is nil to take the image's own, and "NONE" where the runner asks.
func (w *work) healthcheck() *dcontainer.HealthConfig {
	h := w.block.Health
	switch {
	case h == nil:
		return nil
	case len(h.Command) == 0:
		return &dcontainer.HealthConfig{Test: []string{"NONE"}}
	}
	return &dcontainer.HealthConfig{
		Test: append([]string{"CMD"}, h.Command...), Interval: time.Duration(h.Interval), Timeout: time.Duration(h.Timeout),
		Retries: h.Retries, StartPeriod: time.Duration(h.StartPeriod),
	}
}

func (w *work) stopSeconds() int {
	return int(math.Ceil(time.Duration(w.block.StopTimeout).Seconds()))
}

// firstNetwork is the one that addresses are of.
func (w *work) firstNetwork() string {
	if len(w.block.Networks) == 0 {
		return network.NetworkBridge
	}
	return w.block.Networks[0]
}

// predefined networks are Docker's own: they are not made, not removed, and have no names in DNS.
func predefined(name string) bool {
	return slices.Contains([]string{network.NetworkBridge, network.NetworkDefault, network.NetworkHost, network.NetworkNone}, name)
}

// endpoint gives replicas the resource's name on a network.
func (w *work) endpoint() *network.EndpointSettings {
	return &network.EndpointSettings{Aliases: []string{container.Service(w.r)}}
}
