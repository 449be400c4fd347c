package docker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// A container is compared as a flat map, from the paths that people read in a plan to texts: what the block wants, and what
// the engine says of a container. What the block leaves to the image is looked up in the image.

func envPath(name string) string   { return "env." + name }
func labelPath(name string) string { return "labels." + name }
func filePath(path string) string  { return "files." + path }

// wanted is what the block asks for; base is the image that it would run, nil when that is not known: then what is the image's
// is left out.
func (w *work) wanted(base *image.InspectResponse) map[string]string {
	b := w.block
	flat := map[string]string{
		"image": b.Image, "restart": b.Restart, "stop_timeout": (time.Duration(w.stopSeconds()) * time.Second).String(),
		"networks": strings.Join(networksOf(b), ", "),
	}
	for name, value := range b.Env {
		if base == nil || base.Config == nil || !slices.Contains(base.Config.Env, name+"="+value) {
			flat[envPath(name)] = value
		}
	}
	for name, value := range w.traefik() {
		flat[labelPath(name)] = value
	}
	for name, value := range b.Labels {
		if base == nil || base.Config == nil || base.Config.Labels[name] != value {
			flat[labelPath(name)] = value
		}
	}
	for _, p := range b.Ports {
		flat["port."+p.Key()] = hostPort(p.Host)
	}
	for _, v := range b.Volumes {
		flat["volume."+v.Path] = volumeText(v.Name+v.HostPath, v.ReadOnly)
	}
	limits(flat, w.resources())
	health(flat, w.healthcheck())
	w.wantedOfImage(flat, base)
	maps.DeleteFunc(flat, func(_, text string) bool { return text == "" })
	return flat
}

// wantedOfImage follows Docker's rules: an entrypoint of the block's own takes the image's command away.
func (w *work) wantedOfImage(flat map[string]string, base *image.InspectResponse) {
	b := w.block
	flat["command"], flat["entrypoint"] = replicas.Words(b.Command), replicas.Words(b.Entrypoint)
	flat["user"], flat["workdir"] = b.User, b.Workdir
	if base == nil || base.Config == nil {
		return
	}
	if len(b.Entrypoint) == 0 {
		flat["entrypoint"] = replicas.Words(base.Config.Entrypoint)
		if len(b.Command) == 0 {
			flat["command"] = replicas.Words(base.Config.Cmd)
		}
	}
	fill(flat, "user", base.Config.User)
	fill(flat, "workdir", base.Config.WorkingDir)
	if b.Health == nil {
		health(flat, base.Config.Healthcheck)
	}
}

func fill(flat map[string]string, path, otherwise string) {
	if flat[path] == "" {
		flat[path] = otherwise
	}
}

// actual is what the engine says of a container that was made from the image base.
func actual(c dcontainer.InspectResponse, base *image.InspectResponse) map[string]string {
	flat := map[string]string{
		"image": c.Config.Image, "restart": string(c.HostConfig.RestartPolicy.Name), "networks": strings.Join(connected(c), ", "),
		"command": replicas.Words(c.Config.Cmd), "entrypoint": replicas.Words(c.Config.Entrypoint), "user": c.Config.User, "workdir": c.Config.WorkingDir,
	}
	if c.Config.StopTimeout != nil {
		flat["stop_timeout"] = (time.Duration(*c.Config.StopTimeout) * time.Second).String()
	}
	for _, kv := range c.Config.Env {
		if base == nil || base.Config == nil || !slices.Contains(base.Config.Env, kv) {
			name, value, _ := strings.Cut(kv, "=")
			flat[envPath(name)] = value
		}
	}
	for name, value := range c.Config.Labels {
		if base != nil && base.Config != nil && base.Config.Labels[name] == value || strings.HasPrefix(name, container.LabelPrefix) {
			continue
		}
		flat[labelPath(name)] = value
	}
	for port, bindings := range c.HostConfig.PortBindings {
		n := 0
		if len(bindings) > 0 {
			n, _ = strconv.Atoi(bindings[0].HostPort)
		}
		flat["port."+container.Port{Container: int(port.Num()), Protocol: string(port.Proto())}.Key()] = hostPort(n)
	}
	for _, m := range c.HostConfig.Mounts {
		flat["volume."+m.Target] = volumeText(m.Source, m.ReadOnly)
	}
	limits(flat, c.HostConfig.Resources)
	health(flat, c.Config.Healthcheck)
	maps.DeleteFunc(flat, func(_, text string) bool { return text == "" })
	return flat
}

func networksOf(b container.Block) []string {
	if len(b.Networks) == 0 {
		return []string{"bridge"}
	}
	return slices.Sorted(slices.Values(b.Networks))
}

func connected(c dcontainer.InspectResponse) []string {
	if c.NetworkSettings == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(c.NetworkSettings.Networks))
}

func limits(flat map[string]string, r dcontainer.Resources) {
	if r.NanoCPUs != 0 {
		flat["limits.cpu"] = strconv.FormatFloat(float64(r.NanoCPUs)/1e9, 'f', -1, 64)
	}
	if r.Memory != 0 {
		flat["limits.memory"] = fmt.Sprintf("%d bytes", r.Memory)
	}
}

func health(flat map[string]string, h *dcontainer.HealthConfig) {
	if h == nil || len(h.Test) == 0 {
		return
	}
	if h.Test[0] == "NONE" {
		flat["health"] = notByDocker
		return
	}
	flat["health"] = fmt.Sprintf("%s every %s, at most %s, %d times, after %s", replicas.Words(h.Test[1:]), h.Interval, h.Timeout, h.Retries, h.StartPeriod)
}

// notByDocker is the health of a container that the runner asks, or nobody does.
const notByDocker = "not by Docker"

func hostPort(n int) string {
	if n == 0 {
		return "any"
	}
	return strconv.Itoa(n)
}

func volumeText(source string, readOnly bool) string {
	if readOnly {
		return source + " (read-only)"
	}
	return source
}

func seconds(d container.Duration) string { return time.Duration(d).String() }
