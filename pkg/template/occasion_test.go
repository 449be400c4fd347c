package template

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestOccasions(t *testing.T) {
	tpl, err := compileText(head + `action "a" {
		command = ["x"]
		run_on  = ["destroy", "demand", "demand"]
	}`)
	require.NoError(t, err)
	require.Equal(t, []environment.Occasion{environment.OnDestroy, environment.OnDemand}, tpl.Blocks()[0].RunOn)
	for run, text := range map[string]string{`["never"]`: "create, update, destroy, demand", `[]`: "never run", `[param.p]`: "constant", `"create"`: "list", `[null]`: "demand"} {
		_, err := compileText(head + "parameter \"p\" {}\naction \"a\" {\n command = [\"x\"]\n run_on = " + run + "\n}")
		requireFault(t, err, fault.InvalidTemplate, text)
	}
	_, err = compileText(head + `
		action "a" {
			command = ["x"]
			run_on  = ["demand"]
		}
		resource "box" "b" { image = "x${action.a.outputs.code}" }`)
	requireFault(t, err, fault.InvalidTemplate, "no outputs that others could read")
	_, err = compileText(head + `resource "box" "b" { run_on = ["create"] }`)
	requireFault(t, err, fault.InvalidTemplate, "run_on")
}
