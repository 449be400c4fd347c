package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// compared are the parts of a container's host configuration that are compared as what the block says, or that say where
// things are and not what they are: the log driver and the runtime are the engine's own affair.
var compared = []string{
	"Binds", "Mounts", "NetworkMode", "PortBindings", "RestartPolicy", "NanoCpus", "Memory", "MemorySwap",
	"ContainerIDFile", "LogConfig", "Runtime", "CgroupnsMode", "MaskedPaths", "ReadonlyPaths", "ConsoleSize", "VolumeDriver", "Annotations",
}

// engines are the values that the engine fills in where nobody has said anything.
var engines = map[string][]string{"IpcMode": {"private", "shareable"}, "ShmSize": {"67108864"}, "Isolation": {"default"}, "PidsLimit": {"-1"}}

// strange is what a container of somebody else's has and no block can ask for, so that it would be lost when it is replaced.
func (w *work) strange(f found, image *image.InspectResponse) []event.Difference {
	odd := map[string]string{}
	hostOddities(odd, f)
	processOddities(odd, f, image)
	networkOddities(odd, f)
	portOddities(odd, f)
	var differences []event.Difference
	for _, path := range slices.Sorted(maps.Keys(odd)) {
		d := event.Difference{Path: w.r.Mask(path), Change: event.ChangeDestroy}
		d.Before, d.After, d.Sensitive = replicas.Shown(w.r, odd[path], "", false)
		differences = append(differences, d)
	}
	return append(differences, w.unnamed(f)...)
}

// hostOddities go through all there is: what a later engine adds is seen too.
func hostOddities(odd map[string]string, f found) {
	var all map[string]any
	text, err := json.Marshal(f.HostConfig)
	if err != nil || json.Unmarshal(text, &all) != nil {
		odd["host configuration"] = "can't be read"
		return
	}
	for name, value := range all {
		if shown := plainly(value); !slices.Contains(compared, name) && !blank(value) && !slices.Contains(engines[name], shown) {
			odd["docker."+name] = shown
		}
	}
	h := f.HostConfig
	if h.Memory != 0 && h.MemorySwap != h.Memory {
		odd["docker.MemorySwap"] = fmt.Sprintf("%d bytes", h.MemorySwap)
	}
	if h.RestartPolicy.MaximumRetryCount != 0 {
		odd["docker.RestartPolicy.MaximumRetryCount"] = fmt.Sprint(h.RestartPolicy.MaximumRetryCount)
	}
}

func blank(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func plainly(value any) string {
	if text, is := value.(string); is {
		return text
	}
	return replicas.JSON(value)
}

func processOddities(odd map[string]string, f found, image *image.InspectResponse) {
	c := f.Config
	signal := ""
	if image != nil && image.Config != nil {
		signal = image.Config.StopSignal
	}
	if !f.HostConfig.NetworkMode.IsHost() && c.Hostname != "" && !strings.HasPrefix(f.ID, c.Hostname) {
		odd["docker.Hostname"] = c.Hostname
	}
	if c.StopSignal != signal {
		odd["docker.StopSignal"] = c.StopSignal
	}
	for name, is := range map[string]bool{"Tty": c.Tty, "OpenStdin": c.OpenStdin, "NetworkDisabled": c.NetworkDisabled} {
		if is {
			odd["docker."+name] = "true"
		}
	}
	if c.Domainname != "" {
		odd["docker.Domainname"] = c.Domainname
	}
}

// networkOddities are addresses and links that somebody has chosen.
func networkOddities(odd map[string]string, f found) {
	if f.NetworkSettings == nil {
		return
	}
	for name, n := range f.NetworkSettings.Networks {
		if n.IPAMConfig != nil && (n.IPAMConfig.IPv4Address.IsValid() || n.IPAMConfig.IPv6Address.IsValid()) {
			odd["networks."+name+".address"] = n.IPAddress.String()
		}
		if len(n.Links) > 0 {
			odd["networks."+name+".links"] = strings.Join(n.Links, ", ")
		}
	}
}

// portOddities are ports that are published at one address of the host alone, or more than once.
func portOddities(odd map[string]string, f found) {
	for port, bindings := range f.HostConfig.PortBindings {
		chosen := func(b network.PortBinding) bool { return b.HostIP.IsValid() && !b.HostIP.IsUnspecified() }
		if len(bindings) > 1 || slices.ContainsFunc(bindings, chosen) {
			odd["port."+container.Port{Container: int(port.Num()), Protocol: string(port.Proto())}.Key()+" on the host"] = replicas.JSON(bindings)
		}
	}
}

// unnamed are the networks on which others could not find it by the resource's name.
func (w *work) unnamed(f found) (differences []event.Difference) {
	name := container.Service(w.r)
	for _, on := range w.block.Networks {
		if predefined(on) || f.NetworkSettings == nil || f.NetworkSettings.Networks[on] == nil {
			continue
		}
		n := f.NetworkSettings.Networks[on]
		if f.Called() != name && !slices.Contains(n.Aliases, name) && !slices.Contains(n.DNSNames, name) {
			differences = append(differences, event.Difference{Path: w.r.Mask("networks." + on + ".name"), Change: event.ChangeCreate, After: name})
		}
	}
	return differences
}
