package store

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// Bounds of what one question walks through: beyond them the answer is cut and says so.
const (
	// MaxEdges is how many edges one answer holds at most.
	MaxEdges = 20_000
	// MaxHits is how many hits a search gives at most.
	MaxHits = 100
)

// EdgeKind is what an edge says of its two ends.
type EdgeKind string

// Kinds of edges. A walk follows the first two; the others tie a record to what it came from and belongs to.
const (
	// DependsOn: a resource stands on another one of its environment.
	DependsOn EdgeKind = "depends_on"
	// Consumes: a resource uses an output of another environment; it points at the resources that the output comes from,
	// or at the environment as a whole where it comes from none.
	Consumes EdgeKind = "consumes"
	// CreatedBy: a resource is made by an operation, an environment from a template.
	CreatedBy EdgeKind = "created_by"
	// MemberOf: a resource belongs to its environment.
	MemberOf EdgeKind = "member_of"
)

// Ref names a resource. Without an address it is the environment as a whole.
type Ref struct {
	Environment string `json:"environment"`
	Address     string `json:"address,omitempty"`
}

// Edge leads from what depends to what it stands on.
type Edge struct {
	From Ref      `json:"from"`
	To   Ref      `json:"to"`
	Kind EdgeKind `json:"kind" jsonschema:"enum=depends_on,enum=consumes"`
	// Output of the other environment, of Consumes.
	Output string `json:"output,omitempty"`
}

// Consumer is where a consuming edge begins, as the domain says it.
func (e Edge) Consumer() environment.Consumer {
	return environment.Consumer{Environment: e.From.Environment, Address: e.From.Address, Output: e.Output}
}

// Vertex is a resource that a walk came by. Depth is its distance from where the walk began, by the shortest way.
type Vertex struct {
	Ref
	Depth    int                `json:"depth"`
	Status   environment.Status `json:"status,omitempty"` // empty when there is no such record (any more)
	Type     string             `json:"type,omitempty" jsonschema:"enum=resource,enum=action"`
	Executor string             `json:"executor,omitempty"`
	Group    string             `json:"group,omitempty"`
}

// Direction of a walk.
type Direction string

// Directions: to what something stands on, or to what stands on it.
const (
	Dependencies Direction = "dependencies"
	Dependents   Direction = "dependents"
)

// Walk asks for what can be reached. Depth 0 goes to the end.
type Walk struct {
	From      Ref
	Direction Direction
	Depth     int
}

// Reach is what a walk found: vertices without the one it began at, nearest first, then by environment and address; and
// the edges that it went along.
type Reach struct {
	Vertices []Vertex `json:"vertices"`
	Edges    []Edge   `json:"edges"`
	// Truncated: there are more than MaxEdges edges, and not all of them were walked.
	Truncated bool `json:"truncated,omitempty"`
}

// Origin selects by where something came from; empty fields do not select, and at least one is given.
type Origin struct {
	Template string // name
	Version  string
	Commit   string // as it was recorded, or a beginning of it of at least seven characters
	// Environment and Operation select what an operation made.
	Environment string
	Operation   string
	RequestedBy string // of the operation that made it
	Page
}

// Use is an environment that was made from a template.
type Use struct {
	Environment string               `json:"environment"`
	Status      environment.Status   `json:"status"`
	Template    environment.Template `json:"template"`
}

// Lineage is where a resource comes from.
type Lineage struct {
	Resource environment.ResourceRecord `json:"resource"`
	// Environment has the parameters that were given.
	Environment environment.Record `json:"environment"`
	// Template is the one that the resource's block is in.
	Template environment.Template `json:"template"`
	// Operation made the resource, or is making it, and says who asked; absent when none has begun to.
	Operation *environment.OperationRecord `json:"operation,omitempty"`
}

// Kinds of hits.
const (
	EnvironmentHit = "environment"
	ResourceHit    = "resource"
)

// Search asks for words that begin in names, descriptions, tags and outputs that are not sensitive, in any order; what is
// in Text is never a syntax of the store's.
type Search struct {
	Text string
	// Kind is EnvironmentHit or ResourceHit; empty for both.
	Kind  string
	Limit int // 0 takes 20; at most MaxHits
}

// Hit is something that a search found. Score grows with how well it fits, and compares within one answer only.
type Hit struct {
	Kind string `json:"kind" jsonschema:"enum=environment,enum=resource"`
	Ref
	Status      environment.Status `json:"status"`
	Description string             `json:"description,omitempty"`
	Tags        []string           `json:"tags,omitempty"`
	Score       float64            `json:"score"`
}

// Graph answers what only the edges tell. Missing things are ErrNotFound.
type Graph interface {
	// Walk follows DependsOn and Consumes, across environments. From an environment as a whole it begins at all of its
	// resources, and its answer holds only what lies outside.
	Walk(ctx context.Context, w Walk) (Reach, error)
	// Path is a shortest way from a resource to one that it stands on; empty when there is none.
	Path(ctx context.Context, from, to Ref) ([]Edge, error)
	// Consumers are the Consumes edges into an environment, in the order of their beginnings; those of environments that
	// are destroyed do not count. There may be some into an environment that is not there: they wait for it.
	Consumers(ctx context.Context, environment string) ([]Edge, error)
	// Usage lists environments by a template (name, version, commit), in the order of their names.
	Usage(ctx context.Context, o Origin) ([]Use, string, error)
	Lineage(ctx context.Context, of Ref) (Lineage, error)
	// Made lists what came of an origin, by environment and address.
	Made(ctx context.Context, o Origin) ([]Ref, string, error)
	// Search gives the best hits first. It may be a second behind what is written.
	Search(ctx context.Context, q Search) ([]Hit, error)
}
