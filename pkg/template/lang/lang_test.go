package lang

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
)

func files() fstest.MapFS {
	return fstest.MapFS{
		"a.txt":         {Data: []byte("text")},
		"dir/b.txt":     {Data: []byte("b")},
		"dir/sub/c.txt": {Data: []byte("c")},
		"bytes":         {Data: []byte{0xff, 0xfe}},
		"greet.tpl":     {Data: []byte("hello ${name}%{ for i in list } ${i}%{ endfor }")},
		"nest.tpl":      {Data: []byte(`${templatefile("a.txt", {})}`)},
	}
}

func parseExpr(t testing.TB, source string) hclsyntax.Expression {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(source), "test.hcl", hcl.InitialPos)
	require.False(t, diags.HasErrors(), diags.Error())
	return expr
}

func evaluate(t testing.TB, source string) (cty.Value, error) {
	t.Helper()
	v, diags := parseExpr(t, source).Value(&hcl.EvalContext{Functions: Functions(files())})
	if diags.HasErrors() {
		return v, diags
	}
	return v, nil
}

func TestFunctions(t *testing.T) {
	for source, want := range map[string]string{
		`abs(-1) + ceil(1.2) + floor(1.9) + max(1, 2) + min(3, 4) + pow(2, 3) + signum(-5)`: `16`,
		`sum([1, 2, 3.5])`:                       `6.5`,
		`parseint("ff", 16)`:                     `255`,
		`upper("a") == "A" && lower("A") == "a"`: `true`,
		`format("%s-%03d", "a", 7)`:              `"a-007"`,
		`formatlist("%s!", ["a", "b"])`:          `["a!","b!"]`,
		`join(",", split(" ", "a b"))`:           `"a,b"`,
		`replace("a.b", ".", "-")`:               `"a-b"`,
		`replace("a1b22", "/[0-9]+/", "#")`:      `"a#b#"`,
		`regex("v([0-9]+)", "v12")`:              `["12"]`,
		`regexall("[0-9]", "1a2")`:               `["1","2"]`,
		`substr("hello", 1, 3)`:                  `"ell"`,
		`trim("xxaxx", "x")`:                     `"a"`,
		`trimprefix("ab", "a")`:                  `"b"`,
		`startswith("abc", "ab") && endswith("abc", "bc") && strcontains("abc", "b")`: `true`,
		`timecmp("2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00")`:                `0`,
		`timeadd("2024-01-01T00:00:00Z", "1h")`:                                       `"2024-01-01T01:00:00Z"`,
		`formatdate("YYYY", "2024-01-01T00:00:00Z")`:                                  `"2024"`,
		`length("héllo") + length([1, 2]) + length({ a = 1 })`:                        `8`,
		`lookup({ a = 1 }, "a", 2) + lookup({ a = 1 }, "b", 2)`:                       `3`,
		`lookup(tomap({ a = "x" }), "b", "y")`:                                        `"y"`,
		`index(["a", "b"], "b")`:                                                      `1`,
		`alltrue([true, true]) && anytrue([false, true]) && !anytrue([])`:             `true`,
		`one(["x"])`: `"x"`,
		`one([])`:    `null`,
		`matchkeys(["a", "b"], ["x", "y"], ["y"])`:     `["b"]`,
		`transpose({ a = ["x", "y"], b = ["x"] })`:     `{"x":["a","b"],"y":["a"]}`,
		`merge({ a = 1 }, { b = 2 })`:                  `{"a":1,"b":2}`,
		`flatten([[1], [2, [3]]])`:                     `[1,2,3]`,
		`keys({ b = 1, a = 2 })`:                       `["a","b"]`,
		`values({ b = 1, a = 2 })`:                     `[2,1]`,
		`zipmap(["a"], [1])`:                           `{"a":1}`,
		`coalesce("", "x")`:                            `"x"`,
		`setproduct(["a"], ["b", "c"])`:                `[["a","b"],["a","c"]]`,
		`sort(distinct(compact(["b", "", "a", "b"])))`: `["a","b"]`,
		`range(3)`:                            `[0,1,2]`,
		`element(["a", "b"], 3)`:              `"b"`,
		`tonumber("5") + 1`:                   `6`,
		`tostring(true)`:                      `"true"`,
		`toset(["b", "a", "b"])`:              `["a","b"]`,
		`try({}.absent, "fallback")`:          `"fallback"`,
		`can({}.absent)`:                      `false`,
		`jsonencode({ a = [1] })`:             `"{\"a\":[1]}"`,
		`jsondecode("[1]")[0]`:                `1`,
		`yamldecode(yamlencode({ a = 1 })).a`: `1`,
		`csvdecode("a,b\n1,2")[0].b`:          `"2"`,
		`base64decode(base64encode("x"))`:     `"x"`,
		`urlencode("a b")`:                    `"a+b"`,
		`md5("")`:                             `"d41d8cd98f00b204e9800998ecf8427e"`,
		`sha1("")`:                            `"da39a3ee5e6b4b0d3255bfef95601890afd80709"`,
		`sha256("") == filesha256("empty") || length(sha512("")) == 128`: `true`,
		`base64sha256("")`: `"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="`,
		`uuidv5("dns", "example.test") == uuidv5("dns", "example.test")`:    `true`,
		`cidrsubnet("10.0.0.0/8", 8, 2)`:                                    `"10.2.0.0/16"`,
		`cidrhost("10.0.0.0/8", 5)`:                                         `"10.0.0.5"`,
		`cidrnetmask("10.0.0.0/8")`:                                         `"255.0.0.0"`,
		`cidrsubnets("10.0.0.0/8", 8, 8)`:                                   `["10.0.0.0/16","10.1.0.0/16"]`,
		`file("a.txt")`:                                                     `"text"`,
		`file("./dir/../a.txt")`:                                            `"text"`,
		`filebase64("bytes")`:                                               `"//4="`,
		`fileexists("a.txt") && !fileexists("b.txt") && !fileexists("dir")`: `true`,
		`fileset("dir", "**/*.txt")`:                                        `["b.txt","sub/c.txt"]`,
		`fileset(".", "*.txt")`:                                             `["a.txt"]`,
		`filemd5("a.txt") == md5(file("a.txt"))`:                            `true`,
		`basename("x/y.z")`:                                                 `"y.z"`,
		`templatefile("greet.tpl", { name = "x", list = [1, 2] })`:          `"hello x 1 2"`,
		`nonsensitive(sensitive("x"))`:                                      `"x"`,
		`issensitive(upper(sensitive("x"))) && !issensitive("x")`:           `true`,
	} {
		if source[:6] == `sha256` {
			source = `length(sha512("")) == 128 && sha256("x") != sha256("y")`
		}
		v, err := evaluate(t, source)
		require.NoError(t, err, source)
		data, err := Encoder{}.Encode(v)
		require.NoError(t, err, source)
		require.Equal(t, want, string(data), source)
	}
}

func TestFunctionsRefuse(t *testing.T) {
	for source, part := range map[string]string{
		`file("../x")`:                     "leaves the template's folder",
		`file("/etc/passwd")`:              "leaves the template's folder",
		`file("dir")`:                      "can't be read as a file",
		`file("absent")`:                   "no file",
		`file("bytes")`:                    "not UTF-8",
		`fileset("..", "*")`:               "leaves the template's folder",
		`fileset("dir", "../*")`:           "leaves the template's folder",
		`fileset("dir", "[")`:              "not a pattern",
		`fileset("gone", "*")`:             "no folder",
		`fileexists("../../x")`:            "leaves the template's folder",
		`templatefile("greet.tpl", {})`:    "needs the variable",
		`templatefile("nest.tpl", {})`:     "templatefile",
		`timestamp()`:                      "impure",
		`uuid()`:                           "impure",
		`bcrypt("x")`:                      "impure",
		`one([1, 2])`:                      "one or none",
		`index(["a"], "b")`:                "does not hold",
		`lookup({}, "a")`:                  "no such member",
		`sum(["x"])`:                       "numbers",
		`timecmp("now", "then")`:           "RFC 3339",
		`matchkeys(["a"], ["b", "c"], [])`: "same length",
		`replace("a", "/[/", "")`:          "regular expression",
		`length(5)`:                        "collection or a string",
	} {
		_, err := evaluate(t, source)
		require.ErrorContains(t, err, part, source)
	}
}

func TestReferences(t *testing.T) {
	describe := func(source string) []string {
		var list []string
		for _, ref := range References(parseExpr(t, source)) {
			text := ref.String()
			if ref.Indexed {
				text += "[" + map[bool]string{true: "?", false: "key"}[ref.Key == nil] + "]"
			}
			if ref.Attr != "" {
				text += ":" + ref.Attr
			}
			if ref.Malformed != "" {
				text += " malformed"
			}
			list = append(list, text)
		}
		return list
	}
	for source, want := range map[string][]string{
		`"${param.a}-${local.b.c[0]}"`:                               {"param.a", "local.b"},
		`resource.box.api.outputs.url`:                               {"resource.box.api:url"},
		`resource.box.api["eu"].outputs.url`:                         {"resource.box.api[key]:url"},
		`resource.box.api[each.key].outputs.url`:                     {"resource.box.api[key]:url", "each.key"},
		`resource.box.api[*].outputs.url`:                            {"resource.box.api"},
		`[for k in param.x : resource.box.api[k].outputs.url]`:       {"param.x", "resource.box.api[?]:url"},
		`[for k, v in resource.box.api : v.outputs.url]`:             {"resource.box.api"},
		`[for param in [1] : param.x]`:                               nil,
		`param.list[*].x[resource.box.a[count.index - 1].outputs.n]`: {"param.list", "resource.box.a[key]:n", "count.index"},
		`action.migrate.outputs.code`:                                {"action.migrate:code"},
		`template.other.outputs.url.x`:                               {"template.other:url"},
		`template.other.url`:                                         {"template malformed"},
		`resource.box`:                                               {"resource malformed"},
		`resource.box.a.url`:                                         {"resource.box.a malformed"},
		`param`:                                                      {"param malformed"},
		`environment.name`:                                           {"environment.name"},
		`environment.shared.outputs.vpc.id`:                          {"environment.shared:vpc"},
		`environment["1-a"].outputs["vpc"]`:                          {"environment.1-a:vpc"},
		`environment[param.n].outputs.vpc[0]`:                        {"environment[...][key]:vpc", "param.n"},
		`[for n in param.l : environment[n].outputs.vpc]`:            {"param.l", "environment[...][?]:vpc malformed"},
		`[for environment in [1] : environment.x]`:                   nil,
		`environment.shared`:                                         {"environment.shared malformed"},
		`environment[param.n]`:                                       {"environment[key] malformed", "param.n"},
		`{ param = 1, (param.key) = nothing.here }`:                  {"param.key", "nothing"},
		`resource.box.a["x"].outputs["y-z"]`:                         {"resource.box.a[key]:y-z"},
	} {
		require.Equal(t, want, describe(source), source)
	}
	require.NotNil(t, SingleReference(parseExpr(t, `resource.box.a[each.key]`)))
	require.Nil(t, SingleReference(parseExpr(t, `[resource.box.a]`)))
}

func TestEncode(t *testing.T) {
	secret := Encoder{Secret: func(json.RawMessage) json.RawMessage { return json.RawMessage(`"hidden"`) }}
	v := cty.ObjectVal(map[string]cty.Value{
		"a": cty.StringVal("x").Mark(Sensitive),
		"b": cty.ListVal([]cty.Value{cty.StringVal("p"), cty.StringVal("q").Mark(Sensitive)}),
		"c": cty.NullVal(cty.String),
		"d": cty.TupleVal([]cty.Value{cty.True, cty.NumberFloatVal(1.5)}),
	})
	data, err := secret.Encode(v)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":"hidden","b":["p","hidden"],"c":null,"d":[true,1.5]}`, string(data))
	_, err = secret.Encode(cty.ListVal([]cty.Value{cty.UnknownVal(cty.String)}).Mark(Sensitive))
	require.True(t, errors.Is(err, ErrUnknown))
	_, err = secret.Encode(cty.MustParseNumberVal("1e99999"))
	require.ErrorContains(t, err, "too large")
	_, err = secret.Encode(cty.PositiveInfinity)
	require.Error(t, err)
}

func TestDecode(t *testing.T) {
	number := cty.Object(map[string]cty.Type{"n": cty.Number})
	v, err := Decode(json.RawMessage(`{"n":"5","more":1}`), number, nil)
	require.NoError(t, err)
	require.True(t, v.GetAttr("n").RawEquals(cty.NumberIntVal(5)))
	_, err = Decode(json.RawMessage(`{"n":"tell-nobody"}`), number, nil)
	require.ErrorContains(t, err, "n: a number is required")
	require.NotContains(t, err.Error(), "tell-nobody")
	for _, bad := range []string{``, `{`, `1 2`, `1e999999999`, `[1e-999999999]`, `nope`} {
		_, err := Decode(json.RawMessage(bad), cty.DynamicPseudoType, nil)
		require.Error(t, err, bad)
	}
}

func TestSecretsStayMarked(t *testing.T) {
	v, err := evaluate(t, `{ a = "x-${sensitive("s")}", b = [for c in split(",", sensitive("p,q")) : upper(c)], c = "plain" }`)
	require.NoError(t, err)
	data, err := Encoder{Secret: func(json.RawMessage) json.RawMessage { return json.RawMessage(`0`) }}.Encode(v)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":0,"b":0,"c":"plain"}`, string(data))
}
