package terraform

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Name is the kind's name.
const Name = "terraform"

// block is the resource's block as a request brings it.
type block struct {
	Source string          `json:"source"`
	Inputs json.RawMessage `json:"inputs"`
}

// Kind is a block with the folder of a module and the values of its variables; the module says which those are, and
// what comes out.
func (e *Executor) Kind() template.Kind {
	return template.Kind{
		Name: Name, Adopts: true,
		// A registry or a cloud that is away for a moment; large modules take their time.
		Retry: &environment.RetryPolicy{Attempts: 3, Backoff: 2 * time.Second, MaxBackoff: time.Minute}, Timeout: 2 * time.Hour,
		Spec: hcldec.ObjectSpec{
			"source": &hcldec.AttrSpec{Name: "source", Type: cty.String, Required: true},
			"inputs": &hcldec.AttrSpec{Name: "inputs", Type: cty.DynamicPseudoType},
		},
		Static:    []string{"source"},
		Unordered: "what a module makes is replaced as the module says; put lifecycle { create_before_destroy = true } into its own resources.",
		Inspect:   e.inspect,
	}
}

func decode(r executor.Request) (block, error) {
	var b block
	if err := json.Unmarshal(r.Inputs, &b); err != nil {
		return b, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the inputs of %s are not those of a terraform block", r.Step)
	}
	if body := bytes.TrimSpace(b.Inputs); len(body) == 0 || string(body) == "null" {
		b.Inputs = json.RawMessage("{}")
	} else if body[0] != '{' {
		return b, fault.New(fault.GiveUp, fault.Invalid, "inputs of %s has to be an object: the module's variables by name", r.Step)
	}
	return b, nil
}
