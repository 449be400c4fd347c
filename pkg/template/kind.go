package template

import (
	"io/fs"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// Kind describes one executor to the compiler: what its block may contain and what it puts out. Executors state
// theirs; the compiler needs no executor.
type Kind struct {
	// Name is the block's first label: resource "terraform" "network".
	Name string
	// Spec decodes the body, less the attributes and blocks that every resource has (see CommonAttributes).
	Spec hcldec.ObjectSpec
	// Outputs that every resource of the kind has. Those that depend on the block come from Inspect.
	Outputs map[string]Output
	// Static names attributes whose value has to be known at compile time, because Inspect reads them.
	Static []string
	// Retry and Timeout (of one attempt) hold for blocks that say nothing of their own; nil and 0 leave it to the server.
	Retry   *environment.RetryPolicy
	Timeout time.Duration
	// Idempotent: an apply that follows on one of whose end nobody knows finds what that has made, and takes it over. Blocks may
	// say otherwise.
	Idempotent bool
	// Adopts tells whether what exists already can be taken over (executor.Adopter).
	Adopts bool
	// Replace, when not nil, has a decoded body say in which order a replacement goes: the new one is made before the old one is
	// destroyed, or after. The text is why it can't be so. Blocks of kinds without it can't say create_before_destroy; Unordered tells
	// people why.
	Replace   func(body cty.Value, createFirst bool) (ordered cty.Value, wrong string)
	Unordered string
	// Check, when not nil, finds what Spec can't say of a decoded body, such as that one of two attributes has to be there. What is
	// not known yet is not null. A diagnostic without a place is put where the block begins.
	Check func(body cty.Value) hcl.Diagnostics
	// Inspect, when not nil, looks at what the block refers to, without side effects: for Terraform the module.
	Inspect func(InspectRequest) (Inspection, hcl.Diagnostics)
}

// Output is the type of one output.
type Output struct {
	Type        cty.Type
	Sensitive   bool
	Description string
}

// InspectRequest is what Inspect gets.
type InspectRequest struct {
	// Root is the template's folder; nothing outside of it may be read.
	Root fs.FS
	// Dir is the same folder on disk, for libraries that can't read an fs.FS.
	Dir string
	// Static holds the values of Kind.Static, and Ranges where each stands (or the block, where it is absent).
	Static map[string]cty.Value
	Ranges map[string]hcl.Range
}

// Inspection is what Inspect found.
type Inspection struct {
	// Inputs, when not nil, are the members that the attribute "inputs" may have.
	Inputs  map[string]Input
	Outputs map[string]Output
	// Bundle is the folder below Root whose files the executor needs when it runs, "" for none.
	Bundle string
	// Fetched, when not nil, is where those files are instead: Bundle is a folder below it.
	Fetched *Fetched
}

// Input is one member of the attribute "inputs".
type Input struct {
	Type      cty.Type
	Required  bool
	Sensitive bool
}

// Kinds finds a Kind by its name.
type Kinds map[string]Kind
