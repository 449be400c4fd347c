package container

import (
	"path"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Unhealthy: a replica does not get healthy within its window, or ends again and again.
const Unhealthy fault.Code = "unhealthy"

// The words of the block.
const (
	PullMissing = "missing"
	PullAlways  = "always"
	PullNever   = "never"

	RestartAlways        = "always"
	RestartOnFailure     = "on-failure"
	RestartNo            = "no"
	RestartUnlessStopped = "unless-stopped"

	TCP = "tcp"
	UDP = "udp"

	StartFirst = "start_first"
	StopFirst  = "stop_first"
)

// OnlyOnKubernetes is what other targets say of what they have no counterpart of, "" where the block has nothing of it.
func (b Block) OnlyOnKubernetes() string {
	switch {
	case b.ServiceAccount != "":
		return "service_account is an account of Kubernetes, and there are none here: leave it out"
	case b.ServiceName != "":
		return "service_name is the name of a Service of Kubernetes, and there are none here: leave it out"
	}
	return ""
}

const (
	maxReplicas = 100
	maxPort     = 65535
	maxRetries  = 100
)

// Block is what the resource is to be, with every default filled in and checked; Decode makes it.
type Block struct {
	Image      string   `json:"image"`
	Command    []string `json:"command,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	// Env and Files (by absolute path) may hold secrets in clear.
	Env   map[string]string `json:"env,omitempty"`
	Files map[string]string `json:"files,omitempty"`
	User  string            `json:"user,omitempty"`
	// ServiceAccount is the account of Kubernetes whose credentials the containers get; "" is none.
	ServiceAccount string `json:"service_account,omitempty"`
	// ServiceName is what the Service of Kubernetes is called; "" is a name that nobody else has.
	ServiceName string `json:"service_name,omitempty"`
	Workdir     string `json:"workdir,omitempty"`
	Replicas    int    `json:"replicas"`
	// Pull is one of PullMissing, PullAlways and PullNever.
	Pull string `json:"pull"`
	// Restart is one of RestartAlways, RestartOnFailure, RestartNo and RestartUnlessStopped.
	Restart  string   `json:"restart"`
	Networks []string `json:"networks,omitempty"`
	// Labels are the template's own; none begins with LabelPrefix.
	Labels map[string]string `json:"labels,omitempty"`
	// StopTimeout is how long a container has to end by itself.
	StopTimeout Duration `json:"stop_timeout"`
	Ports       []Port   `json:"port,omitempty"`
	Volumes     []Volume `json:"volume,omitempty"`
	Limits      Limits   `json:"limits"`
	// Health is nil when there is no check: then a replica counts as healthy that runs and keeps running for a second.
	Health *Health  `json:"health,omitempty"`
	Expose []Expose `json:"expose,omitempty"`
	Update Update   `json:"update"`
}

// Port makes a port of the container reachable on the host.
type Port struct {
	Container int `json:"container"`
	// Host is 0 for any that is free.
	Host int `json:"host,omitempty"`
	// Protocol is TCP or UDP.
	Protocol string `json:"protocol"`
}

// Volume is a named volume or a folder of the host, whichever is not "".
type Volume struct {
	Name     string `json:"name,omitempty"`
	HostPath string `json:"host_path,omitempty"`
	Path     string `json:"path"`
	ReadOnly bool   `json:"read_only,omitempty"`
	// Keep leaves a named volume when the resource is destroyed.
	Keep bool `json:"keep,omitempty"`
}

// Limits of each replica; 0 is none.
type Limits struct {
	// CPU in cores.
	CPU float64 `json:"cpu,omitempty"`
	// Memory in bytes.
	Memory Size `json:"memory,omitempty"`
}

// Health is a check of each replica: exactly one of HTTP, TCP and Command.
type Health struct {
	HTTP    *HTTPCheck `json:"http,omitempty"`
	TCP     *TCPCheck  `json:"tcp,omitempty"`
	Command []string   `json:"command,omitempty"`
	// Interval between two checks, Timeout of one, Retries in a row that make a replica unhealthy, and StartPeriod in which
	// none counts.
	Interval    Duration `json:"interval"`
	Timeout     Duration `json:"timeout"`
	Retries     int      `json:"retries"`
	StartPeriod Duration `json:"start_period"`
}

// Port is the one that the runner asks, 0 for none.
func (h *Health) Port() int {
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

// HTTPCheck passes with any status from 200 to 399.
type HTTPCheck struct {
	// Path begins with a slash.
	Path string `json:"path"`
	Port int    `json:"port"`
	// TLS asks by https. The certificate is checked with CA, in PEM, and not at all without, as a kubelet never does.
	TLS bool   `json:"tls,omitempty"`
	CA  string `json:"ca,omitempty"`
}

// TCPCheck passes when the port accepts a connection.
type TCPCheck struct {
	Port int `json:"port"`
}

// Expose is a route from outside.
type Expose struct {
	Host string `json:"host"`
	// Path is a prefix; "" and "/" are all paths.
	Path string `json:"path,omitempty"`
	Port int    `json:"port"`
	TLS  bool   `json:"tls,omitempty"`
}

// Update is how replicas are replaced, one after the other.
type Update struct {
	// HealthTimeout is how long a new replica has to get healthy; after it the old one stays, or comes back.
	HealthTimeout Duration `json:"health_timeout"`
	// Order is StartFirst (the old one serves until the new one is healthy) or StopFirst (the two can't run at once).
	Order string `json:"order"`
}

// withDefaults fills in what the block leaves open.
func (b Block) withDefaults() Block {
	set(&b.Replicas, 1)
	set(&b.Pull, PullMissing)
	set(&b.Restart, RestartAlways)
	set(&b.StopTimeout, Duration(10*time.Second))
	set(&b.Update.HealthTimeout, Duration(2*time.Minute))
	set(&b.Update.Order, StartFirst)
	for i := range b.Volumes {
		b.Volumes[i].Path = clean(b.Volumes[i].Path)
	}
	for i := range b.Ports {
		set(&b.Ports[i].Protocol, TCP)
		if b.Ports[i].Host != 0 {
			b.Update.Order = StopFirst // only one can have the port of the host
		}
	}
	if h := b.Health; h != nil {
		set(&h.Interval, Duration(5*time.Second))
		set(&h.Timeout, Duration(3*time.Second))
		set(&h.Retries, 3)
		if h.HTTP != nil {
			set(&h.HTTP.Path, "/")
		}
	}
	return b
}

// clean makes one text of all that name the same folder; what is no path stays for check to find.
func clean(folder string) string {
	if !isAbsolute(folder) {
		return folder
	}
	return path.Clean(folder)
}

func set[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}
