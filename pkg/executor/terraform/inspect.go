package terraform

import (
	"fmt"
	"io/fs"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/terraform-config-inspect/tfconfig"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// inspect reads the module that a block's source names.
func (e *Executor) inspect(r template.InspectRequest) (template.Inspection, hcl.Diagnostics) {
	var none template.Inspection
	given, err := given(r)
	if err == nil && isRemote(given) {
		return e.inspectRemote(r, given)
	}
	var source string
	if err == nil {
		source, err = sourceOf(r, given)
	}
	if err != nil {
		return none, hcl.Diagnostics{wrong(r, "Invalid module source", fmt.Sprintf("The source of a terraform resource: %s.", err))}
	}
	return inspectFolder(r, source)
}

// inspectFolder reads the module in a folder of the request's.
func inspectFolder(r template.InspectRequest, source string) (template.Inspection, hcl.Diagnostics) {
	var none template.Inspection
	root, diags := read(r.Root, source)
	if diags.HasErrors() {
		return none, diags
	}
	folders, more := closure(r, source, root)
	if diags = append(diags, more...); diags.HasErrors() {
		return none, diags
	}
	found := template.Inspection{
		Inputs:  map[string]template.Input{},
		Outputs: map[string]template.Output{},
		Bundle:  bundle.Root(r.Root, bundle.Common(folders...), bundle.Target{Path: source, Has: isModule}),
	}
	for name, v := range root.Variables {
		typ, more := typeOf(v.Type, v.Pos)
		diags = append(diags, more...)
		found.Inputs[name] = template.Input{Type: typ, Required: v.Required, Sensitive: v.Sensitive}
	}
	for name, o := range root.Outputs {
		typ, more := typeOf(o.Type, o.Pos)
		diags = append(diags, more...)
		found.Outputs[name] = template.Output{Type: typ, Sensitive: o.Sensitive, Description: o.Description}
	}
	return found, diags
}

// given is the block's source as it stands there.
func given(r template.InspectRequest) (string, error) {
	v := r.Static["source"]
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", fmt.Errorf("it has to be a string that is known when the template is compiled")
	}
	v, _ = v.Unmark()
	return v.AsString(), nil
}

// sourceOf is the folder of a module in the template's folder.
func sourceOf(r template.InspectRequest, given string) (string, error) {
	source, err := bundle.Clean(given)
	if err != nil {
		return "", fmt.Errorf("%q %w; a module is a folder in the template's folder, as in \"./modules/network\", or in a git repository, as in \"git::https://example.com/modules.git//network?ref=v1.2\"", given, err)
	}
	if !bundle.IsDir(r.Root, source) {
		return "", fmt.Errorf("there is no folder %q in the template's folder", given)
	}
	if err := bundle.Inside(r.Dir, source); err != nil {
		return "", fmt.Errorf("%q %w", given, err)
	}
	if !isModule(r.Root, source) {
		return "", fmt.Errorf("the folder %q has no Terraform files (*.tf or *.tf.json)", given)
	}
	return source, nil
}

// closure follows the module's calls of local modules, and theirs, and returns the folders of all.
func closure(r template.InspectRequest, source string, root module) (folders []string, diags hcl.Diagnostics) {
	modules := map[string]module{source: root}
	folders = []string{source}
	for next := 0; next < len(folders); next++ {
		calls := modules[folders[next]].localCalls(folders[next])
		for _, dir := range sortedKeys(calls) {
			if _, seen := modules[dir]; seen {
				continue
			}
			if !fs.ValidPath(dir) || bundle.Inside(r.Dir, dir) != nil || !isModule(r.Root, dir) {
				diags = append(diags, outside(calls[dir]))
				continue
			}
			called, more := read(r.Root, dir)
			diags = append(diags, more...)
			if more.HasErrors() {
				continue
			}
			modules[dir] = called
			folders = append(folders, dir)
		}
	}
	return folders, diags
}

func outside(call *tfconfig.ModuleCall) *hcl.Diagnostic {
	at := hcl.Pos{Line: call.Pos.Line, Column: 1}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Invalid module source",
		Detail:   fmt.Sprintf("The module %q has the source %q, which is no module in the template's folder.", call.Name, call.Source),
		Subject:  &hcl.Range{Filename: call.Pos.Filename, Start: at, End: at},
	}
}

// typeOf reads a type constraint; none is any type.
func typeOf(text string, pos tfconfig.SourcePos) (cty.Type, hcl.Diagnostics) {
	switch text {
	case "", "any":
		return cty.DynamicPseudoType, nil
	case "list":
		return cty.List(cty.DynamicPseudoType), nil
	case "map":
		return cty.Map(cty.DynamicPseudoType), nil
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), pos.Filename, hcl.Pos{Line: pos.Line, Column: 1})
	if diags.HasErrors() {
		return cty.DynamicPseudoType, diags
	}
	typ, _, diags := typeexpr.TypeConstraintWithDefaults(expr)
	return typ, diags
}

func wrong(r template.InspectRequest, summary, detail string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail}
	if at, ok := r.Ranges["source"]; ok {
		d.Subject = &at
	}
	return d
}
