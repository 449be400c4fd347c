package template

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestLifecycle(t *testing.T) {
	tpl, err := compileText(head + `resource "box" "a" {
		image = "x"
		lifecycle {
			prevent_destroy = true
			retain          = false
		}
	}`)
	require.NoError(t, err)
	constant := func(e *Expr) (cty.Value, hcl.Diagnostics) { return e.Value(nil) }
	s, diags := tpl.Blocks()[0].Settings(constant)
	require.Empty(t, diags)
	require.Equal(t, Lifecycle{PreventDestroy: true}, s.Lifecycle)

	for text, says := range map[string]string{
		`resource "box" "a" {
			lifecycle { prevent_destroy = "perhaps" }
		}`: "has to be a bool",
		`resource "box" "a" {
			lifecycle { prevents = true }
		}`: "prevents",
		`resource "box" "a" {
			lifecycle {}
			lifecycle {}
		}`: "at most one \"lifecycle\"",
		`resource "box" "a" {}
		resource "box" "b" {
			lifecycle { retain = resource.box.a.outputs.url != "" }
		}`: "has to be known before",
		`resource "box" "a" {
			image = "x"
			lifecycle { create_before_destroy = true }
		}`: "there is no order to choose",
		`action "a" {
			command = ["x"]
			lifecycle { retain = true }
		}`: "lifecycle",
	} {
		_, err := compileText(head + text)
		requireFault(t, err, fault.InvalidTemplate, says)
	}
}
