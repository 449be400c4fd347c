package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// testKinds are small executors: a box with outputs of its own, a crate with blocks, a module whose inputs and outputs are looked up,
// and the action.
func testKinds() template.Kinds {
	text := func(name string, required bool) *hcldec.AttrSpec {
		return &hcldec.AttrSpec{Name: name, Type: cty.String, Required: required}
	}
	return template.Kinds{
		"box": {
			Name: "box",
			Spec: hcldec.ObjectSpec{
				"image": text("image", false),
				"size":  &hcldec.AttrSpec{Name: "size", Type: cty.Number},
				"env":   &hcldec.AttrSpec{Name: "env", Type: cty.Map(cty.String)},
			},
			Outputs: map[string]template.Output{
				"url": {Type: cty.String}, "port": {Type: cty.Number}, "password": {Type: cty.String, Sensitive: true},
			},
		},
		"crate": {
			Name: "crate",
			Spec: hcldec.ObjectSpec{
				"image": text("image", false),
				"expose": &hcldec.BlockListSpec{TypeName: "expose", Nested: hcldec.ObjectSpec{
					"port": &hcldec.AttrSpec{Name: "port", Type: cty.Number, Required: true},
				}},
			},
		},
		"module": {
			Name:   "module",
			Spec:   hcldec.ObjectSpec{"source": text("source", true), "inputs": &hcldec.AttrSpec{Name: "inputs", Type: cty.DynamicPseudoType}},
			Static: []string{"source"},
			Inspect: func(r template.InspectRequest) (template.Inspection, hcl.Diagnostics) {
				return template.Inspection{
					Inputs:  map[string]template.Input{"cidr": {Type: cty.String, Required: true}, "key": {Type: cty.String, Sensitive: true}},
					Outputs: map[string]template.Output{"id": {Type: cty.String}},
					Bundle:  r.Static["source"].AsString(),
				}, nil
			},
		},
		"action": {
			Name:    "action",
			Spec:    hcldec.ObjectSpec{"command": &hcldec.AttrSpec{Name: "command", Type: cty.List(cty.String), Required: true}},
			Outputs: map[string]template.Output{"code": {Type: cty.Number}},
		},
	}
}

func compile(t testing.TB, source string) *template.Template {
	t.Helper()
	files := fstest.MapFS{"template.hcl": {Data: []byte(source)}, "modules/net/main.tf": {Data: []byte("# a module\n")}}
	compiled, err := template.Compile(files, "", testKinds())
	if err != nil {
		for _, d := range fault.From(err).Diagnostics {
			t.Logf("%s:%d: %s: %s", d.File, d.Line, d.Summary, d.Detail)
		}
	}
	require.NoError(t, err)
	return compiled
}

func testBox(t testing.TB) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(make([]byte, secret.KeySize))
	require.NoError(t, err)
	return box
}

func params(pairs ...string) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return m
}

func resolve(t testing.TB, parameters map[string]json.RawMessage, sources ...string) *Plan {
	t.Helper()
	p, err := tryResolve(t, parameters, sources...)
	require.NoError(t, err)
	return p
}

func tryResolve(t testing.TB, parameters map[string]json.RawMessage, sources ...string) (*Plan, error) {
	t.Helper()
	r := Request{Environment: "env-1", Parameters: parameters, Box: testBox(t)}
	for _, s := range sources {
		r.Templates = append(r.Templates, compile(t, s))
	}
	return Resolve(r)
}

func requireFault(t testing.TB, err error, code fault.Code, parts ...string) *fault.Error {
	t.Helper()
	var f *fault.Error
	require.True(t, errors.As(err, &f), "%v", err)
	require.Equal(t, code, f.Code)
	text := f.Message
	for _, d := range f.Diagnostics {
		text += fmt.Sprintf("\n%s:%d %s: %s", d.File, d.Line, d.Summary, d.Detail)
	}
	for _, part := range parts {
		require.Contains(t, text, part)
	}
	return f
}

// recorded answers Outputs from a map.
func recorded(m map[string]string) Outputs {
	return func(address string) (json.RawMessage, bool) {
		raw, ok := m[address]
		return json.RawMessage(raw), ok
	}
}

func addresses(p *Plan) map[string][]string {
	all := map[string][]string{}
	for _, n := range p.Nodes() {
		all[n.Address] = n.DependsOn
	}
	return all
}

const head = "template \"t\" {\n version = \"1.0.0\"\n}\n"

func TestInstancesAndEdges(t *testing.T) {
	p := resolve(t, params("regions", `["eu","us"]`), head+`
		parameter "regions" { type = list(string) }
		group "g" { description = "all" }
		resource "box" "db" {
			for_each = toset(param.regions)
			image    = each.key
		}
		resource "box" "api" {
			for_each = toset(param.regions)
			group    = "g"
			env      = { DB = resource.box.db[each.key].outputs.url }
		}
		resource "box" "one" {
			image = resource.box.db["eu"].outputs.url
		}
		resource "box" "all" {
			env = { for k, v in resource.box.db : k => v.outputs.url }
		}
		resource "box" "chain" {
			count = 3
			image = count.index == 0 ? "first" : resource.box.chain[count.index - 1].outputs.url
		}
		resource "box" "list" {
			image = join(",", resource.box.chain[*].outputs.url)
		}
		action "migrate" {
			after   = [resource.box.api, resource.box.db["us"]]
			command = ["x", local.indirect]
		}
		locals { indirect = resource.box.one.outputs.url }
	`)
	require.Equal(t, map[string][]string{
		`t.box.db["eu"]`:   nil,
		`t.box.db["us"]`:   nil,
		`t.box.api["eu"]`:  {`t.box.db["eu"]`},
		`t.box.api["us"]`:  {`t.box.db["us"]`},
		`t.box.one`:        {`t.box.db["eu"]`},
		`t.box.all`:        {`t.box.db["eu"]`, `t.box.db["us"]`},
		`t.box.chain[0]`:   nil,
		`t.box.chain[1]`:   {`t.box.chain[0]`},
		`t.box.chain[2]`:   {`t.box.chain[1]`},
		`t.box.list`:       {`t.box.chain[0]`, `t.box.chain[1]`, `t.box.chain[2]`},
		`t.action.migrate`: {`t.box.db["us"]`, `t.box.api["eu"]`, `t.box.api["us"]`, `t.box.one`},
	}, addresses(p))
}
