package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestInputs(t *testing.T) {
	box := testBox(t)
	p := resolve(t, nil, head+`
		locals { address = "http://${resource.box.db.outputs.url}:${resource.box.db.outputs.port}" }
		resource "box" "db" { image = "db-${environment.name}" }
		resource "box" "api" {
			image = local.address
			env   = { PASSWORD = resource.box.db.outputs.password, PLAIN = "x" }
		}
		resource "module" "net" {
			source = "./modules/net"
			inputs = { cidr = resource.box.db.outputs.url, key = "in the clear" }
		}
		resource "box" "list" {
			count = 2
			image = "n${count.index}"
		}
		resource "box" "sum" {
			size = sum([for r in resource.box.list : r.outputs.port])
			env  = { first = resource.box.list[0].outputs.url }
		}`)
	out := recorded(map[string]string{
		"t.box.db":      `{"url":"db.test","port":5432,"password":` + string(box.Seal(json.RawMessage(`"pw"`))) + `}`,
		"t.box.list[0]": `{"url":"zero","port":1}`,
		"t.box.list[1]": `{"url":"one","port":"2"}`,
	})
	input := func(address string) string {
		data, err := p.Inputs(address, out)
		require.NoError(t, err)
		require.NotContains(t, string(data.Data), `"pw"`)
		require.NotContains(t, string(data.Data), "in the clear")
		open, _, err := box.Open(data.Data)
		require.NoError(t, err)
		return string(open)
	}
	require.JSONEq(t, `{"image":"db-env-1"}`, input("t.box.db"))
	require.JSONEq(t, `{"image":"http://db.test:5432","env":{"PASSWORD":"pw","PLAIN":"x"}}`, input("t.box.api"))
	require.JSONEq(t, `{"source":"./modules/net","inputs":{"cidr":"db.test","key":"in the clear"}}`, input("t.module.net"))
	require.JSONEq(t, `{"size":3,"env":{"first":"zero"}}`, input("t.box.sum"))
	shown, err := p.Inputs("t.box.api", out)
	require.NoError(t, err)
	require.Contains(t, string(shown.Data), `"PLAIN":"x"`)
}

// TestFingerprintTellsWhatAnExecutorCouldTell: sealing draws a nonce each time, and must not count.
func TestFingerprintTellsWhatAnExecutorCouldTell(t *testing.T) {
	of := func(source, password string) string {
		p := resolve(t, map[string]json.RawMessage{"p": json.RawMessage(password)}, head+source)
		in, err := p.Inputs("t.box.a", nil)
		require.NoError(t, err)
		require.NotContains(t, in.Fingerprint, "hush")
		return in.Fingerprint
	}
	source := "parameter \"p\" {\n sensitive = true\n type = string\n}\nresource \"box\" \"a\" {\n image = \"i\"\n env = { P = param.p }\n}\n"
	first := of(source, `"hush"`)
	require.Len(t, first, 64)
	require.Equal(t, first, of(source, `"hush"`))
	require.NotEqual(t, first, of(source, `"hush!"`), "a secret that changes counts")
	require.NotEqual(t, first, of(strings.Replace(source, `"i"`, `"j"`, 1), `"hush"`))
	require.Equal(t, first, of(strings.Replace(source, "image = \"i\"", "image = \"i\"\n description = \"for people\"", 1), `"hush"`))
}

func TestInputsThatCantBeWorkedOut(t *testing.T) {
	p := resolve(t, nil, head+`
resource "box" "a" {}
resource "box" "b" { image = resource.box.a.outputs.url }
resource "box" "c" {
  size = parseint(resource.box.a.outputs.url, 10)
}
resource "box" "d" {
  size = parseint(resource.box.a.outputs.password, 10)
}`)
	_, err := p.Inputs("t.box.b", recorded(nil))
	f := requireFault(t, err, fault.InputsUnresolved, "t.box.a", "was not applied")
	require.Equal(t, fault.GiveUp, f.Disposition)
	out := recorded(map[string]string{"t.box.a": `{"url":"not a number","password":"tell-nobody"}`})
	_, err = p.Inputs("t.box.c", out)
	requireFault(t, err, fault.InputsUnresolved, "template.hcl:8", "not a number")
	_, err = p.Inputs("t.box.d", out)
	f = requireFault(t, err, fault.InputsUnresolved, "template.hcl:11", "withheld")
	text, _ := json.Marshal(f)
	require.NotContains(t, string(text), "tell-nobody")
	_, err = p.Inputs("t.box.b", recorded(map[string]string{"t.box.a": `{"url":{"no":"text"}}`}))
	requireFault(t, err, fault.InputsUnresolved, "type that was promised")
	_, err = p.Inputs("t.box.nobody", nil)
	requireFault(t, err, fault.NotFound)
}

func TestNodes(t *testing.T) {
	p := resolve(t, nil, head+`
		group "g" { description = "The group" }
		resource "box" "a" {
			count       = 2
			group       = "g"
			description = "A box"
			pool        = "gpu"
			timeout     = "${count.index + 1}m"
			retry {
				attempts    = 3
				backoff     = "2s"
				max_backoff = "1m"
			}
			status {
				url      = "http://${resource.box.a[count.index].outputs.url}/healthz"
				host     = "${resource.box.a[count.index].outputs.url}:8443"
				code     = 204
				interval = "1s"
				timeout  = "1m"
			}
		}
		resource "module" "m" {
			source = "./modules/net"
			inputs = { cidr = "x" }
		}`)
	n := p.Nodes()[1]
	require.Equal(t, environment.Node{
		Address: "t.box.a[1]", Type: environment.ResourceNode, Template: "t", Executor: "box", Name: "a", Key: "1", Group: "g",
		Pool: "gpu", Timeout: 2 * time.Minute, Probed: true, Description: "A box",
		Retry: &environment.RetryPolicy{Attempts: 3, Backoff: 2 * time.Second, MaxBackoff: time.Minute},
	}, n)
	require.Equal(t, []environment.Group{{Name: "g", Description: "The group"}}, p.Groups())
	e, err := p.Endpoint("t.box.a[1]", recorded(map[string]string{"t.box.a[1]": `{"url":"x.test"}`}))
	require.NoError(t, err)
	require.Equal(t, &event.Endpoint{URL: "http://x.test/healthz", Host: "x.test:8443", Status: 204, Interval: time.Second, Timeout: time.Minute}, e)
	_, err = p.Endpoint("t.box.a[0]", nil)
	requireFault(t, err, fault.InputsUnresolved, "t.box.a[0]")
	e, err = p.Endpoint("t.module.m", nil)
	require.NoError(t, err)
	require.Nil(t, e)
	b, err := p.Bundle(p.Nodes()[2].Bundle)
	require.NoError(t, err)
	require.Equal(t, p.Nodes()[2].Bundle, b.Hash)
	require.NotEmpty(t, b.Data)
	_, err = p.Bundle("unknown")
	requireFault(t, err, fault.NotFound)
}

const (
	base = `template "base" {
		version     = "1.0.0"
		parallelism = 8
	}
	resource "box" "net" {}
	resource "box" "unused" {}
	output "net" { value = resource.box.net.outputs.url }
	output "key" { value = resource.box.net.outputs.password }
	output "fixed" { value = "f" }
	entrypoint "base" { url = "http://${resource.box.net.outputs.url}" }`
	app = `template "app" {
		version     = "2.0.0"
		parallelism = 4
	}
	resource "box" "api" { env = { NET = template.base.outputs.net, FIXED = template.base.outputs.fixed } }
	action "seed" { command = [template.base.outputs.key] }
	output "api" { value = { net = template.base.outputs.net, url = resource.box.api.outputs.url } }
	entrypoint "web" {
		url         = "https://${environment.name}.example.test"
		description = "The page"
	}`
)

func TestSeveralTemplates(t *testing.T) {
	p := resolve(t, nil, app, base)
	require.Equal(t, map[string][]string{
		"base.box.net": nil, "base.box.unused": nil, "app.box.api": {"base.box.net"}, "app.action.seed": {"base.box.net"},
	}, addresses(p))
	require.Equal(t, 4, p.Parallelism())
	require.Equal(t, "app", p.Templates()[0].Name)
	box := testBox(t)
	out := recorded(map[string]string{
		"base.box.net": `{"url":"n.test","password":` + string(box.Seal(json.RawMessage(`"pw"`))) + `}`,
		"app.box.api":  `{"url":"a.test"}`,
	})
	data, err := p.Outputs(out)
	require.NoError(t, err)
	require.NotContains(t, string(data), "pw")
	open, _, err := box.Open(data)
	require.NoError(t, err)
	require.JSONEq(t, `{"app":{"api":{"net":"n.test","url":"a.test"}},"base":{"net":"n.test","key":"pw","fixed":"f"}}`, string(open))
	entries, err := p.Entrypoints(out)
	require.NoError(t, err)
	require.Equal(t, []environment.Entrypoint{
		{Name: "web", URL: "https://env-1.example.test", Description: "The page"}, {Name: "base", URL: "http://n.test"},
	}, entries)
	_, err = p.Outputs(nil)
	requireFault(t, err, fault.InputsUnresolved)
	_, err = p.Entrypoints(nil)
	requireFault(t, err, fault.InputsUnresolved, "entrypoint base")
	alone := resolve(t, nil, base)
	data, err = alone.Outputs(out)
	require.NoError(t, err)
	open, _, err = box.Open(data)
	require.NoError(t, err)
	require.JSONEq(t, `{"net":"n.test","key":"pw","fixed":"f"}`, string(open))
}

func TestTemplatesThatDoNotGoTogether(t *testing.T) {
	_, err := tryResolve(t, nil, app)
	f := requireFault(t, err, fault.InvalidTemplate, `no template "base"`)
	require.NotZero(t, f.Diagnostics[0].Line)
	other := "template \"base\" {\n version = \"1.0.0\"\n}\noutput \"x\" { value = 1 }\n"
	_, err = tryResolve(t, nil, app, other)
	requireFault(t, err, fault.InvalidTemplate, `no output "net"`, "it has: x")
	loop := "template \"base\" {\n version = \"1.0.0\"\n}\n" +
		"output \"net\" { value = template.app.outputs.api }\noutput \"key\" { value = 1 }\noutput \"fixed\" { value = 1 }\n"
	_, err = tryResolve(t, nil, app, loop)
	requireFault(t, err, fault.InvalidTemplate, "template.app.outputs.api -> template.base.outputs.net -> template.app.outputs.api")
	through := "template \"base\" {\n version = \"1.0.0\"\n}\nresource \"box\" \"net\" { image = template.app.outputs.own }\n" +
		"output \"net\" { value = resource.box.net.outputs.url }\n"
	back := "template \"app\" {\n version = \"1.0.0\"\n}\nresource \"box\" \"api\" { image = template.base.outputs.net }\n" +
		"output \"own\" { value = resource.box.api.outputs.url }\n"
	_, err = tryResolve(t, nil, through, back)
	requireFault(t, err, fault.InvalidTemplate, "base.box.net -> app.box.api -> base.box.net")
}

func TestWhatOnlyParametersBringToLight(t *testing.T) {
	source := head + `
parameter "cidr" { type = string }
parameter "n" { type = number }
resource "box" "a" {
  count = param.n
  image = cidrsubnet(param.cidr, 8, 1)
}
resource "box" "ring" {
  for_each = { a = "b", b = "a" }
  image    = resource.box.ring[each.value].outputs.url
}
resource "box" "gone" {
  image = resource.box.a[5].outputs.url
}`
	_, err := tryResolve(t, params("cidr", `"10.0.0.0/8"`, "n", "6"), source)
	requireFault(t, err, fault.InvalidTemplate, `t.box.ring["a"] -> t.box.ring["b"] -> t.box.ring["a"]`)
	_, err = tryResolve(t, params("cidr", `"x"`, "n", "-1"), source)
	requireFault(t, err, fault.InvalidTemplate, "template.hcl:8", "whole number")
	straight := `
parameter "cidr" { type = string }
resource "box" "a" {
  count = 2
  image = cidrsubnet(param.cidr, 8, 1)
}
resource "box" "gone" {
  image = resource.box.a[5].outputs.url
}`
	_, err = tryResolve(t, params("cidr", `"x"`), head+straight)
	requireFault(t, err, fault.InvalidTemplate, "template.hcl:8", "template.hcl:11", "invalid CIDR")
}

func TestPreview(t *testing.T) {
	p := resolve(t, params("key", `"hush"`), head+`
		parameter "key" {
			type      = string
			sensitive = true
		}
		resource "box" "a" { image = param.key }
		resource "box" "b" {
			count = 2
			image = "${resource.box.a.outputs.url}/x"
			env   = { A = "known", B = resource.box.a.outputs.password }
		}
		resource "module" "m" {
			source = "./modules/net"
			inputs = { cidr = join(",", resource.box.b[*].outputs.url) }
		}`)
	steps := p.Preview()
	require.Equal(t, WillChange, steps[0].Change)
	require.JSONEq(t, `{"image":"(sensitive)"}`, string(steps[0].Inputs))
	require.Equal(t, Unknown, steps[1].Change)
	require.JSONEq(t, `{"image":"(known after t.box.a)","env":{"A":"known","B":"(known after t.box.a)"}}`, string(steps[1].Inputs))
	require.Equal(t, map[string][]string{"image": {"t.box.a"}, "env.B": {"t.box.a"}}, steps[1].KnownAfter)
	require.Equal(t, map[string][]string{"inputs.cidr": {"t.box.b[0]", "t.box.b[1]"}}, steps[3].KnownAfter)
	data, err := json.Marshal(steps)
	require.NoError(t, err)
	require.NotContains(t, string(data), "hush")
}

func TestAPlanServesManyAtOnce(t *testing.T) {
	p := resolve(t, nil, shapes["fanout"](50), base)
	out := func(string) (json.RawMessage, bool) {
		return json.RawMessage(`{"url":"x","port":1,"password":"p"}`), true
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for _, n := range p.Nodes() {
				if _, err := p.Inputs(n.Address, out); err != nil {
					panic(fmt.Sprint(n.Address, err))
				}
			}
			p.Preview()
			p.Parameters()
		})
	}
	wait.Wait()
}

func TestInstancesAreLookedAtBeforeAnythingIsApplied(t *testing.T) {
	_, err := tryResolve(t, nil, head+`
		resource "box" "a" { count = 2 }
		resource "box" "b" { image = one(resource.box.a[*].outputs.url) }`)
	requireFault(t, err, fault.InvalidTemplate, "one or none")
}

// TestProposalIsWholeWhereNothingOfItIsUnknown, and says what is unknown where some is.
func TestProposalIsWholeWhereNothingOfItIsUnknown(t *testing.T) {
	box := testBox(t)
	p := resolve(t, nil, head+`
		resource "box" "db" { image = "db" }
		resource "box" "web" { image = "web" }
		resource "box" "api" {
			image = "http://${resource.box.db.outputs.url}"
			env   = { PASSWORD = resource.box.db.outputs.password, WEB = resource.box.web.outputs.url, PLAIN = "x" }
		}`)
	web := recorded(map[string]string{"t.box.web": `{"url":"web.test"}`})
	in, err := p.Proposal("t.box.api", web)
	require.NoError(t, err)
	open, found, err := box.Open(in.Data)
	require.NoError(t, err)
	require.Empty(t, found)
	require.JSONEq(t, `{"image":null,"env":{"PASSWORD":null,"WEB":"web.test","PLAIN":"x"}}`, string(open))
	require.Equal(t, map[string][]string{"image": {"t.box.db"}, "env.PASSWORD": {"t.box.db"}}, in.Unknown)
	require.Empty(t, in.Fingerprint)

	all := recorded(map[string]string{"t.box.web": `{"url":"web.test"}`, "t.box.db": `{"url":"db.test","password":` + string(box.Seal(json.RawMessage(`"pw"`))) + `}`})
	in, err = p.Proposal("t.box.api", all)
	require.NoError(t, err)
	same, err := p.Inputs("t.box.api", all)
	require.NoError(t, err)
	require.Equal(t, same.Fingerprint, in.Fingerprint)
	require.NotEmpty(t, in.Fingerprint)
	require.Empty(t, in.Unknown)
	_, err = p.Inputs("t.box.api", web)
	require.Error(t, err, "an apply has to know all")
}
