package docker

import (
	"context"
	"strings"

	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Belonging names what of the engine is an environment's of this name, of whatever cluster: labels do not tell clusters apart, so who begins one
// looks first. The error is fault.Unavailable where the engine does not answer.
func (e *Executor) Belonging(ctx context.Context, environment string) (names []string, err error) {
	docker, err := e.client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout)
	defer cancel()
	its := client.Filters{}.Add("label", container.LabelEnvironment+"="+environment)
	containers, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: its})
	if err != nil {
		return nil, e.silent(err)
	}
	for _, c := range containers.Items {
		names = append(names, "container "+strings.TrimPrefix(strings.Join(c.Names[:min(1, len(c.Names))], ""), "/"))
	}
	volumes, err := docker.VolumeList(ctx, client.VolumeListOptions{Filters: its})
	if err != nil {
		return nil, e.silent(err)
	}
	for _, v := range volumes.Items {
		names = append(names, "volume "+v.Name)
	}
	networks, err := docker.NetworkList(ctx, client.NetworkListOptions{Filters: its})
	if err != nil {
		return nil, e.silent(err)
	}
	for _, n := range networks.Items {
		names = append(names, "network "+n.Name)
	}
	return names, nil
}

func (e *Executor) silent(err error) error {
	return fault.Wrap(err, fault.Wait, fault.Unavailable, "Docker at %s does not answer: is the engine running, and may you use it?", e.place.shown)
}
