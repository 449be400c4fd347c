package plan

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const consuming = head + `
	parameter "network" { type = string }
	parameter "zones" {
		type    = list(string)
		default = []
	}
	locals { subnet = environment.shared.outputs.subnet }
	resource "box" "api" {
		image = environment[param.network].outputs.vpc.id
		env   = { NAME = environment.name, SUBNET = local.subnet, DIGITS = environment["1-2"].outputs.x }
	}
	resource "box" "zone" {
		for_each = toset(param.zones)
		image    = environment["${each.key}-net"].outputs.image
	}
	resource "box" "web" {
		image = resource.box.api.outputs.url
		status { url = "http://${environment.gateway.outputs.host}/" }
	}
	resource "box" "plain" { image = "x" }
	output "subnet" { value = local.subnet }
	output "api" { value = resource.box.api.outputs.url }
	entrypoint "web" { url = "https://${local.subnet}.example.test" }`

func of(environmentName, output string) environment.Consumption {
	return environment.Consumption{Environment: environmentName, Output: output}
}

func TestNodesKnowWhatTheyUseOfOtherEnvironments(t *testing.T) {
	p := resolve(t, params("network", `"net-7"`, "zones", `["a","b"]`), consuming)
	got := map[string][]environment.Consumption{}
	for _, n := range p.Nodes() {
		got[n.Address] = n.Consumes
	}
	subnet := []environment.Consumption{of("shared", "subnet")}
	require.Equal(t, map[string][]environment.Consumption{
		"t.box.api":       {of("1-2", "x"), of("net-7", "vpc"), of("shared", "subnet")},
		`t.box.zone["a"]`: {of("a-net", "image")}, `t.box.zone["b"]`: {of("b-net", "image")},
		"t.box.web": {of("gateway", "host")}, "t.box.plain": nil,
		"t.output.subnet": subnet, "t.entrypoint.web": subnet,
	}, got)
	require.Equal(t, map[string][]string{"subnet": {}, "api": {"t.box.api"}}, p.Sources())
	for _, s := range p.Preview() {
		if s.Address == `t.box.zone["a"]` {
			require.Equal(t, Unknown, s.Change)
			require.Equal(t, map[string][]string{"image": {"environment a-net"}}, s.KnownAfter)
			require.JSONEq(t, `{"image":"(known after environment a-net)"}`, string(s.Inputs))
		}
	}
}

func TestInputsHoldWhatOtherEnvironmentsPutOut(t *testing.T) {
	box := testBox(t)
	p := resolve(t, params("network", `"net-7"`), consuming)
	known := map[string]string{
		of("net-7", "vpc").Key():     `{"id":"vpc-1","token":` + string(box.Seal(json.RawMessage(`"hush"`))) + `}`,
		of("shared", "subnet").Key(): string(box.Seal(json.RawMessage(`"sub-1"`))),
		of("1-2", "x").Key():         `5`,
	}
	in, err := p.Inputs("t.box.api", recorded(known))
	require.NoError(t, err)
	require.NotContains(t, string(in.Data), "sub-1", "what is sensitive there is sensitive here")
	require.Contains(t, string(in.Data), `"image":"vpc-1"`, "and only that")
	open, _, err := box.Open(in.Data)
	require.NoError(t, err)
	require.JSONEq(t, `{"image":"vpc-1","env":{"NAME":"env-1","SUBNET":"sub-1","DIGITS":"5"}}`, string(open))

	known[of("shared", "subnet").Key()] = string(box.Seal(json.RawMessage(`"sub-1"`)))
	again, err := p.Inputs("t.box.api", recorded(known))
	require.NoError(t, err)
	require.Equal(t, in.Fingerprint, again.Fingerprint)
	known[of("1-2", "x").Key()] = `6`
	again, err = p.Inputs("t.box.api", recorded(known))
	require.NoError(t, err)
	require.NotEqual(t, in.Fingerprint, again.Fingerprint)

	delete(known, of("net-7", "vpc").Key())
	_, err = p.Inputs("t.box.api", recorded(known))
	require.ErrorContains(t, err, "t.box.api needs the outputs of environment net-7 (output vpc)")
	part, err := p.Proposal("t.box.api", recorded(known))
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"image": {"environment net-7"}}, part.Unknown)
	known[of("net-7", "vpc").Key()] = `"vpc-1"`
	_, err = p.Inputs("t.box.api", recorded(known))
	require.ErrorContains(t, err, "Unsupported attribute", "it is no object any more")
}

func TestAnEnvironmentThatCantBeUsed(t *testing.T) {
	for name, said := range map[string]string{
		`"env-1"`: `This environment is called "env-1" itself`,
		`"Net"`:   `"Net" can't be an environment's name`,
		`"name"`:  `Another environment that is called "name" can't be referred to`,
		`""`:      `"" can't be an environment's name`,
	} {
		_, err := Resolve(Request{Environment: "env-1", Templates: []*template.Template{compile(t, consuming)}, Parameters: params("network", name), Box: testBox(t)})
		require.Equal(t, fault.InvalidTemplate, fault.From(err).Code, name)
		require.Contains(t, fault.From(err).Diagnostics[0].Detail, said)
		require.Equal(t, 12, fault.From(err).Diagnostics[0].Line, name)
	}
	_, err := Resolve(Request{Environment: "env-1", Parameters: params("network", string(testBox(t).Seal(json.RawMessage(`"x"`)))), Box: testBox(t),
		Templates: []*template.Template{compile(t, consuming)}})
	require.ErrorContains(t, err, "The name of another environment is sensitive")
}

func TestConsumptionThroughAnotherTemplate(t *testing.T) {
	first := compile(t, `
		template "a" { version = "1.0.0" }
		resource "box" "x" { image = "x" }
		output "vpc" { value = { id = environment.shared.outputs.vpc, url = resource.box.x.outputs.url } }`)
	second := compile(t, `
		template "b" { version = "1.0.0" }
		resource "box" "y" { image = template.a.outputs.vpc.id }`)
	p, err := Resolve(Request{Environment: "env-1", Templates: []*template.Template{first, second}, Box: testBox(t)})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"a": {"a.box.x"}, "b": {}}, p.Sources())
	for _, n := range p.Nodes() {
		switch n.Address {
		case "b.box.y":
			require.Equal(t, []environment.Consumption{of("shared", "vpc")}, n.Consumes)
			require.Equal(t, []string{"a.box.x"}, n.DependsOn)
		case "a.output.vpc":
			require.Equal(t, []string{"a.box.x"}, n.DependsOn)
		}
	}
}
