package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const withParameters = head + `
	parameter "replicas" {
		type    = number
		default = 2
		validation {
			condition     = param.replicas > 0
			error_message = "At least one replica, not ${param.replicas}."
		}
	}
	parameter "image" { type = string }
	parameter "key" {
		type      = string
		sensitive = true
		validation {
			condition     = length(param.key) > 3
			error_message = "Too short: ${param.key}."
		}
	}
	parameter "zones" {
		type    = list(object({ name = string, spare = optional(bool, false) }))
		default = []
	}
	resource "box" "a" {
		count = param.replicas
		image = param.image
		env   = { KEY = "k-${param.key}" }
	}`

func TestAllWrongParametersAtOnce(t *testing.T) {
	_, err := tryResolve(t, params("imgae", `"x"`, "replicas", `"many"`, "zones", `[{"spare":true}]`), withParameters)
	f := requireFault(t, err, fault.InvalidParameter,
		`"imgae" is not declared`, "image, key, replicas, zones", `"replicas" of template t has to be number`, `"image" (string)`, `"key" (string)`, "name")
	require.Len(t, f.Diagnostics, 5)
	require.Equal(t, fault.Reject, f.Disposition)
}

func TestValidation(t *testing.T) {
	_, err := tryResolve(t, params("replicas", "0", "image", `"x"`, "key", `"abc"`), withParameters)
	f := requireFault(t, err, fault.InvalidParameter, "At least one replica, not 0.", `parameter "key"`)
	require.Len(t, f.Diagnostics, 2)
	require.NotContains(t, f.Message, "abc")
	for _, d := range f.Diagnostics {
		require.NotZero(t, d.Line)
		require.NotContains(t, d.Detail, "abc")
	}
}

func TestEffectiveParameters(t *testing.T) {
	box := testBox(t)
	p := resolve(t, params("image", `"x"`, "key", string(box.Seal(json.RawMessage(`"secret"`))), "zones", `[{"name":"a"}]`), withParameters)
	got := p.Parameters()
	require.JSONEq(t, "2", string(got["replicas"]))
	require.JSONEq(t, `[{"name":"a","spare":false}]`, string(got["zones"]))
	require.NotContains(t, string(got["key"]), "secret")
	open, _, err := box.Open(got["key"])
	require.NoError(t, err)
	require.JSONEq(t, `"secret"`, string(open))
	again := resolve(t, got, withParameters)
	require.Equal(t, p.Nodes(), again.Nodes())
}

func TestSealedParametersStaySecret(t *testing.T) {
	box := testBox(t)
	sealed := box.Seal(json.RawMessage(`"hush"`))
	source := head + "parameter \"p\" {}\nresource \"box\" \"a\" {\n image = param.p.inner\n}\n"
	p := resolve(t, map[string]json.RawMessage{"p": json.RawMessage(`{"inner":` + string(sealed) + `}`)}, source)
	data, err := p.Inputs("t.box.a", nil)
	require.NoError(t, err)
	require.NotContains(t, string(data.Data), "hush")
	open, found, err := box.Open(data.Data)
	require.NoError(t, err)
	require.JSONEq(t, `{"image":"hush"}`, string(open))
	require.Equal(t, []string{"hush"}, found)
	require.NotContains(t, string(p.Parameters()["p"]), "hush")

	other, err := secret.NewBox([]byte(strings.Repeat("k", secret.KeySize)))
	require.NoError(t, err)
	for _, b := range []*secret.Box{nil, other} {
		_, err = Resolve(Request{Environment: "e", Templates: []*template.Template{compile(t, source)}, Box: b, Parameters: params("p", string(sealed))})
		requireFault(t, err, fault.InvalidParameter, `parameter "p"`)
	}
}

func TestParametersOfSeveralTemplates(t *testing.T) {
	one := "template \"one\" {\n version = \"1.0.0\"\n}\nparameter \"n\" {\n type = number\n default = 1\n}\nparameter \"s\" {\n type = string\n default = \"x\"\n}\n"
	two := "template \"two\" {\n version = \"1.0.0\"\n}\nparameter \"n\" {\n type = number\n default = 2\n}\nparameter \"s\" {\n type = string\n default = \"x\"\n}\nresource \"box\" \"b\" {\n count = param.n\n}\n"
	p := resolve(t, nil, one, two)
	require.Len(t, p.Nodes(), 2)
	require.Equal(t, map[string]json.RawMessage{"s": json.RawMessage(`"x"`)}, p.Parameters())
	p = resolve(t, params("n", "3"), one, two)
	require.Len(t, p.Nodes(), 3)
	require.JSONEq(t, "3", string(p.Parameters()["n"]))
	p = resolve(t, params("n", "null"), one, two)
	require.Len(t, p.Nodes(), 2)
	_, err := tryResolve(t, nil, one, one)
	requireFault(t, err, fault.Invalid, "given twice")
	_, err = tryResolve(t, nil)
	requireFault(t, err, fault.Invalid, "at least one template")
}

func FuzzParameters(f *testing.F) {
	for _, seed := range []string{`1`, `"x"`, `null`, `{"a":[1,{"b":null}]}`, `1e999999999`, `{"$sealed":"v1.x"}`, `[`, `[[["a"]]]`, `{"n":1,"s":"x"}`} {
		f.Add(seed)
	}
	t := compile(f, head+`
		parameter "any" {}
		parameter "typed" {
			type    = object({ n = optional(number, 3), s = optional(string), l = optional(list(map(string)), []) })
			default = {}
		}
		parameter "keys" {
			type    = map(string)
			default = {}
		}
		resource "box" "a" {
			image = try(tostring(param.any), jsonencode(param.any))
			size  = param.typed.n
		}
		resource "box" "b" {
			for_each = param.keys
			image    = "${each.key}-${each.value}"
		}`)
	box := testBox(f)
	f.Fuzz(func(tt *testing.T, raw string) {
		for _, name := range []string{"any", "typed", "keys"} {
			given := params("any", `"x"`, name, raw)
			p, err := Resolve(Request{Environment: "e", Templates: []*template.Template{t}, Parameters: given, Box: box})
			if err != nil {
				require.Equal(tt, fault.Reject, fault.From(err).Disposition)
				continue
			}
			for _, n := range p.Nodes() {
				data, err := p.Inputs(n.Address, nil)
				if err == nil {
					require.True(tt, json.Valid(data.Data))
				}
			}
			for _, v := range p.Parameters() {
				require.True(tt, json.Valid(v))
			}
			p.Preview()
		}
	})
}
