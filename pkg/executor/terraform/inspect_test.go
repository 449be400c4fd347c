package terraform_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

var blockRange = hcl.Range{Filename: "template.hcl", Start: hcl.Pos{Line: 7, Column: 3}}

func inspect(dir string, source cty.Value) (template.Inspection, hcl.Diagnostics) {
	return terraform.New(terraform.Options{}).Kind().Inspect(template.InspectRequest{
		Root: os.DirFS(dir), Dir: dir,
		Static: map[string]cty.Value{"source": source},
		Ranges: map[string]hcl.Range{"source": blockRange},
	})
}

func TestInspect(t *testing.T) {
	found, diags := inspect("testdata", cty.StringVal("./modules/sample"))
	require.False(t, diags.HasErrors(), diags)
	require.Equal(t, "modules", found.Bundle, "the module and the one beside it that it calls")
	require.Equal(t, template.Input{Type: cty.String}, found.Inputs["name"])
	require.Equal(t, template.Input{Type: cty.String, Sensitive: true}, found.Inputs["password"])
	require.Equal(t, template.Input{Type: cty.ObjectWithOptionalAttrs(
		map[string]cty.Type{"size": cty.Number, "tags": cty.List(cty.String)}, []string{"tags"},
	)}, found.Inputs["settings"])
	require.Len(t, found.Inputs, 5)
	require.Equal(t, template.Output{Type: cty.DynamicPseudoType, Description: "Of the sample."}, found.Outputs["id"])
	require.True(t, found.Outputs["password"].Sensitive)
	require.Len(t, found.Outputs, 5)

	found, diags = inspect("testdata", cty.StringVal("modules/shared/"))
	require.False(t, diags.HasErrors(), diags)
	require.Equal(t, "modules/shared", found.Bundle)
	require.Equal(t, template.Input{Type: cty.String, Required: true}, found.Inputs["name"])
}

// write makes a template's folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
		require.NoError(t, os.WriteFile(at, []byte(content), 0o600))
	}
	return dir
}

func TestInspectWidensWhatTravelsUntilItIsClear(t *testing.T) {
	dir := write(t, map[string]string{"a/m/main.tf": "", "a/m/m/main.tf": `output "inner" { value = 1 }`})
	found, diags := inspect(dir, cty.StringVal("./a/m"))
	require.False(t, diags.HasErrors(), diags)
	require.Equal(t, "a", found.Bundle, "in a/m alone its folder m would be taken for the module")
}

func TestInspectRefuses(t *testing.T) {
	dir := write(t, map[string]string{
		"template.hcl":         "",
		"empty/readme.md":      "",
		"broken/main.tf":       "variable \"a\" {\n",
		"wrong/main.tf":        "\nvariable \"a\" {\n  type = nosuch\n}\n",
		"calls/main.tf":        "module \"x\" {\n  source = \"../../elsewhere\"\n}\n",
		"missing/main.tf":      "module \"x\" {\n  source = \"../nowhere\"\n}\n",
		"calls-broken/main.tf": "module \"x\" {\n  source = \"../broken\"\n}\n",
		"registry/main.tf":     "module \"x\" {\n  source = \"example/x/any\"\n}\n",
		"json/main.tf.json":    `{"variable": {"a": {"type": "list(string)"}}}`,
		"loop/main.tf":         "module \"x\" {\n  source = \"../loop2\"\n}\n",
		"loop2/main.tf":        "module \"x\" {\n  source = \"../loop\"\n}\n",
		"type-any/main.tf":     "variable \"a\" {}\nvariable \"b\" {\n  type = map\n  default = {}\n}\n",
	})
	outside := write(t, map[string]string{"main.tf": ""})
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))
	for name, c := range map[string]struct {
		source cty.Value
		says   string
		file   string
		line   int
	}{
		"leaves":       {cty.StringVal("../sample"), "leaves the template's folder", "template.hcl", 7},
		"absolute":     {cty.StringVal("/etc"), "is not a relative path", "template.hcl", 7},
		"link":         {cty.StringVal("./link"), "by a symbolic link", "template.hcl", 7},
		"nowhere":      {cty.StringVal("./nowhere"), "no folder", "template.hcl", 7},
		"a file":       {cty.StringVal("./template.hcl"), "no folder", "template.hcl", 7},
		"no module":    {cty.StringVal("./empty"), "no Terraform files", "template.hcl", 7},
		"unknown":      {cty.UnknownVal(cty.String), "known when the template is compiled", "template.hcl", 7},
		"null":         {cty.NullVal(cty.String), "known when the template is compiled", "template.hcl", 7},
		"registry":     {source: cty.StringVal("./registry")},
		"json":         {source: cty.StringVal("./json")},
		"loop":         {source: cty.StringVal("./loop")},
		"any":          {source: cty.StringVal("./type-any")},
		"broken":       {cty.StringVal("./broken"), "Unclosed configuration block", "broken/main.tf", 1},
		"type":         {cty.StringVal("./wrong"), "type", "wrong/main.tf", 2},
		"calls":        {cty.StringVal("./calls"), "no module in the template's folder", "calls/main.tf", 1},
		"missing":      {cty.StringVal("./missing"), "no module in the template's folder", "missing/main.tf", 1},
		"calls broken": {cty.StringVal("./calls-broken"), "Unclosed configuration block", "broken/main.tf", 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := inspect(dir, c.source)
			require.Equal(t, c.says != "", diags.HasErrors(), diags)
			if c.says != "" {
				require.Contains(t, diags.Error(), c.says)
				require.Equal(t, c.file, diags[0].Subject.Filename)
				require.Equal(t, c.line, diags[0].Subject.Start.Line)
			}
		})
	}
}

func TestAModuleIsReplacedAsItSaysItself(t *testing.T) {
	source := "template \"t\" { version = \"1.0.0\" }\nresource \"terraform\" \"x\" {\n  source = \"./m\"\n  lifecycle { create_before_destroy = true }\n}\n"
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "m"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "template.hcl"), []byte(source), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m", "main.tf"), []byte("output \"id\" { value = 1 }\n"), 0o600))
	_, err := template.Compile(os.DirFS(dir), dir, template.Kinds{terraform.Name: terraform.New(terraform.Options{}).Kind()})
	require.True(t, fault.Is(err, fault.InvalidTemplate), "%v", err)
	d := fault.From(err).Diagnostics[0]
	require.Contains(t, d.Detail, "put lifecycle { create_before_destroy = true } into its own resources")
	require.Equal(t, 4, d.Line)
}
