package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// EndpointHealth is how a node's status endpoint stands.
type EndpointHealth struct {
	Status event.HealthStatus `json:"status" jsonschema:"enum=healthy,enum=unhealthy,enum=unknown"`
	// Detail says what is wrong.
	Detail string `json:"detail,omitempty"`
	// Since is when it was first seen so.
	Since time.Time `json:"since"`
	// Runner and Sequence are those of the report behind it; empty after a validation.
	Runner   string `json:"runner,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	// Changes counts those before, as long as they follow each other closely: what flaps is heard less and less often.
	Changes int `json:"changes,omitempty"`
}

// HealthSummary is the health of an environment, with the numbers of its status endpoints.
type HealthSummary struct {
	// Status is healthy when all endpoints are, degraded when one is not, and unknown when of one nobody knows and none is
	// known to be unhealthy.
	Status    string `json:"status" jsonschema:"enum=healthy,enum=degraded,enum=unknown"`
	Healthy   int    `json:"healthy"`
	Unhealthy int    `json:"unhealthy"`
	Unknown   int    `json:"unknown"`
}

// Degraded is the health of an environment of which something is unhealthy.
const Degraded = "degraded"

// ResourceHealth: a status endpoint of a deployed environment stands otherwise than before.
type ResourceHealth struct {
	Operation string             `json:"operation"`
	Step      string             `json:"step"`
	Status    event.HealthStatus `json:"status" jsonschema:"enum=healthy,enum=unhealthy,enum=unknown"`
	Detail    string             `json:"detail,omitempty"`
	Since     time.Time          `json:"since"`
	Runner    string             `json:"runner,omitempty"`
	Sequence  uint64             `json:"sequence,omitempty"`
}

// Type is the fact's name.
func (ResourceHealth) Type() string { return "resource.health" }

// HealthInput is what a runner says of a status endpoint, or the server when nobody can look at it.
type HealthInput struct{ event.ResourceHealth }

func (HealthInput) input() {}

// Bounds of what flaps: so many changes are taken as they come; the next one after healthHold, doubled with each up to
// mostHealthHold. Changes that are further apart than healthCalm do not count together.
const (
	freeChanges    = 3
	healthHold     = 15 * time.Second
	mostHealthHold = 10 * time.Minute
	healthCalm     = 30 * time.Minute
)

// hold is how long a change has to wait since the one before. A report that comes too early is dropped: whoever watches
// says it again as long as it is true.
func (h *EndpointHealth) hold() time.Duration {
	if h.Changes < freeChanges {
		return 0
	}
	return min(healthHold<<min(h.Changes-freeChanges, 20), mostHealthHold)
}

// Watched tells whether the environment's status endpoints are watched: it is deployed, or is that again after an action
// or a look that was asked for.
func (s *State) Watched() bool {
	return s.Status == Deployed || (s.Busy() && s.Operation.Before == Deployed)
}

// Watches calls visit for every node whose status endpoint is watched.
func (s *State) Watches(visit func(*Step)) {
	if !s.Watched() {
		return
	}
	for _, n := range s.real() {
		if n.Probed && n.Endpoint != nil && n.Health != nil {
			visit(n)
		}
	}
}

// Live calls visit for every resource that is there.
func (s *State) Live(visit func(*Step)) {
	for _, n := range s.real() {
		if n.Type == ResourceNode && n.Exists && n.Status == Deployed {
			visit(n)
		}
	}
}

// Ability is what a runner has to be able to ask the node's status endpoint with.
func (n *Step) Ability() string {
	if n.Probe != "" {
		return n.Probe
	}
	return AnyProbe
}

// AnyProbe is what every runner says that it can ask: endpoints of HTTP and TCP.
const AnyProbe = "status"

// health takes a report that tells something new of what is watched now.
func (c *decision) health(in HealthInput) {
	n := c.s.Step(in.Step)
	if n == nil || !c.s.Watched() || n.Health == nil || n.Operation != in.Operation || in.Epoch < c.s.Epoch {
		return
	}
	h := n.Health
	old := in.Runner != "" && in.Runner == h.Runner && in.Sequence <= h.Sequence
	if old || in.Status == h.Status || c.now.Sub(h.Since) < h.hold() || !slices.Contains(event.HealthStatuses(), in.Status) {
		return
	}
	c.emit(ResourceHealth{Operation: in.Operation, Step: in.Step, Status: in.Status, Detail: in.Detail, Since: c.now,
		Runner: in.Runner, Sequence: in.Sequence})
}

// changed takes in how an endpoint stands.
func (s *State) changed(b ResourceHealth) error {
	i, ok := s.index[b.Step]
	if !ok || s.Nodes[i].Health == nil {
		return errOutOfPlace(b.Type(), b.Step)
	}
	n := s.Nodes[i]
	h := &EndpointHealth{Status: b.Status, Detail: b.Detail, Since: b.Since, Runner: b.Runner, Sequence: b.Sequence, Changes: n.Health.Changes + 1}
	if b.Since.Sub(n.Health.Since) > healthCalm {
		h.Changes = 0
	}
	n.Health = h
	s.dirty.environment = true
	s.dirty.touch(i)
	return nil
}

// healthSummary is nil while nothing is watched.
func (s *State) healthSummary() *HealthSummary {
	sum := &HealthSummary{Status: string(event.Healthy)}
	s.Watches(func(n *Step) {
		switch n.Health.Status {
		case event.Healthy:
			sum.Healthy++
		case event.Unhealthy:
			sum.Unhealthy++
		default:
			sum.Unknown++
		}
	})
	switch {
	case sum.Unhealthy > 0:
		sum.Status = Degraded
	case sum.Unknown > 0:
		sum.Status = string(event.HealthUnknown)
	case sum.Healthy == 0:
		return nil
	}
	return sum
}
