package container

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Decode reads the inputs of a request, fills in the defaults and checks all that no target could do. With inputs that are not
// known yet (Request.Unknown) the block is for a look only: what is unknown has its default or nothing, and only words are
// checked. The error is a *fault.Error that gives up.
func Decode(r executor.Request) (Block, error) {
	var b Block
	if err := json.Unmarshal(r.Inputs, &b); err != nil {
		var m mistake
		if errors.As(err, &m) {
			return b, Invalid(r, "%s", m)
		}
		return b, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the inputs of %s are not those of a %s block", r.Step, Name)
	}
	b = b.withDefaults()
	if wrong := b.check(len(r.Unknown) > 0); wrong != "" {
		return b, Invalid(r, "%s", wrong)
	}
	return b, nil
}

// Invalid is the error about a block; what it says is masked, and should say what to do.
func Invalid(r executor.Request, format string, args ...any) error {
	return fault.New(fault.GiveUp, fault.Invalid, "the block of %s: %s", r.Step, r.Mask(fmt.Sprintf(format, args...)))
}

// check returns the first mistake; open blocks lack what is not known yet.
func (b Block) check(open bool) string {
	checks := []func() string{b.checkWords}
	if !open {
		checks = append(checks, b.checkImage, b.checkNames, b.checkPorts, b.checkVolumes, b.checkHealth, b.checkExpose)
	}
	for _, check := range checks {
		if wrong := check(); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (b Block) checkImage() string {
	if strings.TrimSpace(b.Image) == "" {
		return "image is empty: say which image to run"
	}
	return ""
}

func (b Block) checkWords() string {
	words := []struct {
		name, is string
		of       []string
	}{
		{"pull", b.Pull, []string{PullMissing, PullAlways, PullNever}},
		{"restart", b.Restart, []string{RestartAlways, RestartOnFailure, RestartNo, RestartUnlessStopped}},
		{"update.order", b.Update.Order, []string{StartFirst, StopFirst}},
	}
	for _, w := range words {
		if !slices.Contains(w.of, w.is) {
			return fmt.Sprintf("%s = %q is not one of %s", w.name, w.is, strings.Join(w.of, ", "))
		}
	}
	switch {
	case b.Replicas < 1 || b.Replicas > maxReplicas:
		return fmt.Sprintf("replicas is %d, it has to be from 1 to %d", b.Replicas, maxReplicas)
	case b.Limits.CPU < 0:
		return "limits.cpu has to be more than 0"
	case b.Workdir != "" && !isAbsolute(b.Workdir):
		return fmt.Sprintf("workdir = %q has to be an absolute path", b.Workdir)
	}
	return ""
}

func (b Block) checkNames() string {
	for _, name := range slices.Sorted(maps.Keys(b.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return fmt.Sprintf("env has the name %q, which no variable can have", name)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(b.Files)) {
		if !isAbsolute(path) || strings.HasSuffix(path, "/") {
			return fmt.Sprintf("files has %q, which has to be the absolute path of a file", path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		if name == "" || strings.HasPrefix(name, LabelPrefix) {
			return fmt.Sprintf("labels has %q; labels that begin with %q say whose a container is, choose another name", name, LabelPrefix)
		}
	}
	for i, name := range b.Networks {
		if name == "" || slices.Contains(b.Networks[:i], name) {
			return fmt.Sprintf("networks has %q, which is empty or there twice", name)
		}
	}
	return ""
}

func (b Block) checkPorts() string {
	seen := map[string]bool{}
	for _, p := range b.Ports {
		if p.Container < 1 || p.Container > maxPort || p.Host < 0 || p.Host > maxPort || p.Protocol != TCP && p.Protocol != UDP {
			return fmt.Sprintf("port %d has to be from 1 to %d, its host port too, and its protocol %s or %s", p.Container, maxPort, TCP, UDP)
		}
		if seen[p.Key()] {
			return fmt.Sprintf("port %s is there twice", p.Key())
		}
		seen[p.Key()] = true
		if p.Host != 0 && b.Replicas > 1 {
			return fmt.Sprintf("port %s wants the host's port %d, which only one of %d replicas can have: leave host out, or have one replica", p.Key(), p.Host, b.Replicas)
		}
	}
	return ""
}

func (b Block) checkVolumes() string {
	seen := map[string]bool{}
	for _, v := range b.Volumes {
		switch {
		case (v.Name == "") == (v.HostPath == ""):
			return fmt.Sprintf("the volume at %q needs either name or host_path", v.Path)
		case !isAbsolute(v.Path) || v.HostPath != "" && !isAbsolute(v.HostPath):
			return fmt.Sprintf("the volume at %q needs absolute paths", v.Path)
		case seen[v.Path]:
			return fmt.Sprintf("there are two volumes at %q", v.Path)
		case v.Keep && v.HostPath != "":
			return fmt.Sprintf("the volume at %q is a folder of the host, which is always kept: leave keep out", v.Path)
		}
		seen[v.Path] = true
	}
	return ""
}

func (b Block) checkHealth() string {
	h := b.Health
	if h == nil {
		return ""
	}
	ways, port := 0, 1
	if h.HTTP != nil {
		ways, port = ways+1, h.HTTP.Port
	}
	if h.TCP != nil {
		ways, port = ways+1, h.TCP.Port
	}
	if len(h.Command) > 0 {
		ways++
	}
	switch {
	case ways != 1:
		return "health needs exactly one of http, tcp and command"
	case port < 1 || port > maxPort:
		return fmt.Sprintf("health has the port %d, it has to be from 1 to %d", port, maxPort)
	case h.HTTP != nil && !strings.HasPrefix(h.HTTP.Path, "/"):
		return fmt.Sprintf("health.http.path = %q has to begin with a slash", h.HTTP.Path)
	case h.HTTP != nil && h.HTTP.CA != "" && !h.HTTP.TLS:
		return "health.http.ca goes with tls = true"
	case h.HTTP != nil && h.HTTP.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(h.HTTP.CA)):
		return "health.http.ca is no certificate in PEM"
	case h.Retries < 1 || h.Retries > maxRetries:
		return fmt.Sprintf("health.retries is %d, it has to be from 1 to %d", h.Retries, maxRetries)
	}
	return ""
}

func (b Block) checkExpose() string {
	for _, e := range b.Expose {
		switch {
		case e.Host == "" || strings.ContainsAny(e.Host, "`/:\"() \t\n"):
			return fmt.Sprintf("expose.host = %q has to be a name such as notes.example.test", e.Host)
		case e.Path != "" && (!isAbsolute(e.Path) || strings.ContainsAny(e.Path, "`")):
			return fmt.Sprintf("expose.path = %q has to be a path such as /api", e.Path)
		case e.Port < 1 || e.Port > maxPort:
			return fmt.Sprintf("expose.port is %d, it has to be from 1 to %d", e.Port, maxPort)
		}
	}
	return ""
}

// Key names a port among those of its container: "8080", "53/udp".
func (p Port) Key() string {
	if p.Protocol == UDP {
		return fmt.Sprintf("%d/%s", p.Container, UDP)
	}
	return fmt.Sprint(p.Container)
}
