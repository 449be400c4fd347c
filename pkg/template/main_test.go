package template

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testKinds are small executors: a box with outputs of its own, a module described by a file below the template's
// folder, and the action.
func testKinds() Kinds {
	text := func(name string, required bool) *hcldec.AttrSpec {
		return &hcldec.AttrSpec{Name: name, Type: cty.String, Required: required}
	}
	return Kinds{
		"box": {
			Name: "box",
			Spec: hcldec.ObjectSpec{
				"image": text("image", true),
				"size":  &hcldec.AttrSpec{Name: "size", Type: cty.Number},
				"env":   &hcldec.AttrSpec{Name: "env", Type: cty.Map(cty.String)},
				"expose": &hcldec.BlockListSpec{TypeName: "expose", Nested: hcldec.ObjectSpec{
					"port": &hcldec.AttrSpec{Name: "port", Type: cty.Number, Required: true},
				}},
			},
			Outputs: map[string]Output{
				"url": {Type: cty.String}, "port": {Type: cty.Number}, "password": {Type: cty.String, Sensitive: true},
			},
		},
		"module": {
			Name:    "module",
			Spec:    hcldec.ObjectSpec{"source": text("source", true), "inputs": &hcldec.AttrSpec{Name: "inputs", Type: cty.DynamicPseudoType}},
			Static:  []string{"source"},
			Inspect: inspectModule,
		},
		"action": {
			Name:    "action",
			Spec:    hcldec.ObjectSpec{"command": &hcldec.AttrSpec{Name: "command", Type: cty.List(cty.String), Required: true}},
			Outputs: map[string]Output{"code": {Type: cty.Number}},
		},
	}
}

// inspectModule reads module.json: inputs by name, with "number" or "string" and "!" for a required one, and outputs.
func inspectModule(r InspectRequest) (Inspection, hcl.Diagnostics) {
	dir := path.Clean(r.Static["source"].AsString())
	found := Inspection{Bundle: dir, Inputs: map[string]Input{}, Outputs: map[string]Output{}}
	if !fs.ValidPath(dir) {
		return found, nil // the compiler itself refuses a bundle that lies elsewhere
	}
	var module struct {
		Inputs  map[string]string
		Outputs []string
	}
	data, err := fs.ReadFile(r.Root, path.Join(dir, "module.json"))
	if err == nil {
		err = json.Unmarshal(data, &module)
	}
	if err != nil {
		return found, hcl.Diagnostics{errorAt(r.Ranges["source"], "No module", "There is no module in "+dir+".")}
	}
	for name, kind := range module.Inputs {
		input := Input{Type: cty.String, Required: strings.HasSuffix(kind, "!")}
		if strings.HasPrefix(kind, "number") {
			input.Type = cty.Number
		}
		found.Inputs[name] = input
	}
	for _, name := range module.Outputs {
		found.Outputs[name] = Output{Type: cty.String}
	}
	return found, nil
}

const head = "template \"t\" {\n  version = \"1.0.0\"\n}\n"

func compileText(source string) (*Template, error) {
	return Compile(fstest.MapFS{"template.hcl": {Data: []byte(source)}}, "", testKinds())
}

func mustCompile(t testing.TB, source string) *Template {
	t.Helper()
	compiled, err := compileText(source)
	require.NoError(t, err)
	return compiled
}

func requireFault(t testing.TB, err error, code fault.Code, parts ...string) *fault.Error {
	t.Helper()
	var f *fault.Error
	require.True(t, errors.As(err, &f), "%v", err)
	require.Equal(t, code, f.Code)
	text := f.Message + "\n" + listDiagnostics(f)
	for _, part := range parts {
		require.Contains(t, text, part)
	}
	return f
}

func listDiagnostics(f *fault.Error) string {
	var b strings.Builder
	for _, d := range f.Diagnostics {
		fmt.Fprintf(&b, "%s:%d:%d: %s\n  %s\n  | %s\n", d.File, d.Line, d.Column, d.Summary, d.Detail, d.Snippet)
	}
	return b.String()
}

// TestGolden compiles every folder below testdata/golden and compares the mistakes, or the graph, with what is
// written beside it. "go test -update" writes them anew.
func TestGolden(t *testing.T) {
	const root = "testdata/golden"
	list, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, d := range list {
		if !d.IsDir() {
			continue
		}
		t.Run(d.Name(), func(t *testing.T) {
			got := goldenText(path.Join(root, d.Name()))
			file := path.Join(root, d.Name()+".golden")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func goldenText(dir string) string {
	compiled, err := Compile(os.DirFS(dir), dir, testKinds())
	if err != nil {
		f := fault.From(err)
		return fmt.Sprintf("%s (%s)\n\n%s", f.Code, f.Disposition, listDiagnostics(f))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s@%s %q %v parallelism %d\n", compiled.Name, compiled.Version, compiled.Description, compiled.Tags, compiled.Parallelism)
	for _, p := range compiled.Parameters() {
		data, _ := json.Marshal(p)
		fmt.Fprintf(&b, "parameter %s\n", data)
	}
	for _, g := range compiled.Groups() {
		fmt.Fprintf(&b, "group %s %q", g.Name, g.Description)
		if g.DependsOn != nil {
			fmt.Fprintf(&b, " <- %v", g.DependsOn)
		}
		b.WriteString("\n")
	}
	summary := compiled.Summary()
	for _, r := range append(summary.Resources, summary.Actions...) {
		fmt.Fprintf(&b, "%s %s group=%s probed=%v <- %v\n", r.Address, r.Repeat, r.Group, r.Probed, r.DependsOn)
	}
	data, _ := json.Marshal([]any{summary.Entrypoints, summary.Outputs})
	fmt.Fprintf(&b, "%s\n", data)
	return b.String()
}
