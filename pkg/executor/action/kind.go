package action

import (
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
const Name = "action"

// block is the action's block as a request brings it.
type block struct {
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
	Files       string            `json:"files"`
	App         *app              `json:"app"`
	HTTP        *call             `json:"http"`
}

type app struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	SHA256 string `json:"sha256"`
}

// Kind is a block with a command, its environment and files, and the app that the command runs; or with an HTTP call.
func (*Executor) Kind() template.Kind {
	return template.Kind{
		Name: Name,
		// Not every command may be run twice: only who says so in a retry block gets a second attempt.
		Retry: &environment.RetryPolicy{Attempts: 1}, Timeout: time.Hour,
		Spec: hcldec.ObjectSpec{
			"command":     &hcldec.AttrSpec{Name: "command", Type: cty.List(cty.String)},
			"environment": &hcldec.AttrSpec{Name: "environment", Type: cty.Map(cty.String)},
			"files":       &hcldec.AttrSpec{Name: "files", Type: cty.String},
			"app": &hcldec.BlockSpec{TypeName: "app", Nested: &hcldec.ObjectSpec{
				"name":   &hcldec.AttrSpec{Name: "name", Type: cty.String, Required: true},
				"url":    &hcldec.AttrSpec{Name: "url", Type: cty.String, Required: true},
				"sha256": &hcldec.AttrSpec{Name: "sha256", Type: cty.String},
			}},
			"http": callSpec,
		},
		Check: check,
		Outputs: map[string]template.Output{
			"exit_code": {Type: cty.Number, Description: "The command's exit code."},
			"stdout":    {Type: cty.String, Description: "The end of what the command printed, at most 64 KiB, without space around it."},
			"json":      {Type: cty.DynamicPseudoType, Description: "What the command printed, when that was one JSON object, or the answer to a call, when that was JSON; null otherwise."},
			"status":    {Type: cty.Number, Description: "The status of the answer to a call."},
			"body":      {Type: cty.String, Description: "The answer to a call, at most 64 KiB of it."},
		},
		Static:  []string{"files", "app"},
		Inspect: inspect,
	}
}

func decode(r executor.Request) (block, error) {
	var b block
	if err := json.Unmarshal(r.Inputs, &b); err != nil {
		return b, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the inputs of %s are not those of an action", r.Step)
	}
	if b.HTTP != nil && len(b.Command) == 0 {
		return b, b.HTTP.check(r)
	}
	if len(b.Command) == 0 || b.Command[0] == "" || b.HTTP != nil {
		return b, fault.New(fault.GiveUp, fault.Invalid, "%s needs either a command, which begins with the program's name, or an http block", r.Step)
	}
	if b.App != nil {
		if err := b.App.check(); err != nil {
			return b, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the app of %s: %s", r.Step, r.Mask(err.Error()))
		}
	}
	return b, nil
}
