package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// readFile returns the values of a file by their settings' paths, and what is wrong with it.
func readFile(fileName string, source []byte) (map[string]given, hcl.Diagnostics, []byte) {
	values := map[string]given{}
	if source == nil {
		return values, nil, nil
	}
	file, diags := hclsyntax.ParseConfig(source, fileName, hcl.InitialPos)
	if file == nil || diags.HasErrors() {
		return values, diags, source
	}
	diags = append(diags, readBody(file.Body, "", values)...)
	return values, diags, source
}

// readBody reads the attributes below prefix ("" or "log."), and, at the top, the blocks. What the schema does not
// have is reported by HCL itself, with a suggestion where a name is near.
func readBody(body hcl.Body, prefix string, values map[string]given) hcl.Diagnostics {
	settings, schema := schemaOf(prefix)
	content, diags := body.Content(schema)
	for name, attribute := range content.Attributes {
		g, more := readAttribute(settings[name], attribute)
		diags = append(diags, more...)
		if !more.HasErrors() && g != nil {
			values[settings[name].Path] = *g
		}
	}
	seen := map[string]hcl.Range{}
	for _, block := range content.Blocks {
		if first, ok := seen[block.Type]; ok {
			diags = append(diags, twice(block, first))
			continue
		}
		seen[block.Type] = block.DefRange
		diags = append(diags, readBody(block.Body, block.Type+".", values)...)
	}
	return diags
}

func twice(block *hcl.Block, first hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Duplicate block", Subject: block.DefRange.Ptr(),
		Detail: fmt.Sprintf("There is a %q block already, in line %d.", block.Type, first.Start.Line),
	}
}

// schemaOf derives from the table what may stand in a body.
func schemaOf(prefix string) (map[string]Setting, *hcl.BodySchema) {
	settings, schema, blocks := map[string]Setting{}, &hcl.BodySchema{}, map[string]bool{}
	for _, t := range table {
		rest, ok := strings.CutPrefix(t.Path, prefix)
		if !ok {
			continue
		}
		if block, _, nested := strings.Cut(rest, "."); nested {
			if !blocks[block] {
				blocks[block] = true
				schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: block})
			}
			continue
		}
		settings[rest] = t
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: rest})
	}
	return settings, schema
}

// plain tells whether an expression is a value written out. There is nothing to refer to in a configuration file, and
// what can be computed without (numbers of a billion digits) is of use to nobody.
func plain(e hcl.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return true
	case *hclsyntax.TemplateExpr:
		return e.IsStringLiteral()
	case *hclsyntax.TupleConsExpr:
		for _, one := range e.Exprs {
			if !plain(one) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// readAttribute reads an attribute; null counts as not given.
func readAttribute(t Setting, a *hcl.Attribute) (*given, hcl.Diagnostics) {
	if !plain(a.Expr) {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Not a plain value", Subject: a.Expr.Range().Ptr(),
			Detail: fmt.Sprintf("%s has to be written out: there are no references, functions or calculations in a configuration file.", t.Path),
		}}
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		return nil, diags
	}
	if v.IsNull() {
		return nil, nil
	}
	val, ok := t.fromCty(v)
	if !ok {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Wrong type", Subject: a.Expr.Range().Ptr(),
			Detail: fmt.Sprintf("%s has to be a %s, not a %s.", t.Path, t.Type, v.Type().FriendlyName()),
		}}
	}
	where := fmt.Sprintf("%s:%d", a.Range.Filename, a.Range.Start.Line)
	return &given{val, origin{text: where, subject: a.Expr.Range().Ptr()}}, nil
}

// fromCty takes values of exactly the setting's type: "16" is no number and 16 is no text, as a mistake shows itself
// earlier that way.
func (s Setting) fromCty(v cty.Value) (value, bool) {
	if !v.IsWhollyKnown() {
		return value{}, false
	}
	switch s.kind {
	case listKind:
		return listFromCty(v)
	case numberKind:
		return single(v, cty.Number)
	case truthKind:
		return single(v, cty.Bool)
	default:
		return single(v, cty.String)
	}
}

func single(v cty.Value, want cty.Type) (value, bool) {
	if !v.Type().Equals(want) {
		return value{}, false
	}
	switch want {
	case cty.Bool:
		return value{text: strconv.FormatBool(v.True())}, true
	case cty.Number:
		// Short for any exponent; whole numbers that a setting may have come out digit by digit.
		return value{text: v.AsBigFloat().Text('g', 20)}, true
	default:
		return value{text: v.AsString()}, true
	}
}

func listFromCty(v cty.Value) (value, bool) {
	if !v.Type().IsTupleType() && !v.Type().IsListType() {
		return value{}, false
	}
	var list []string
	for _, e := range v.AsValueSlice() {
		if e.IsNull() || !e.Type().Equals(cty.String) {
			return value{}, false
		}
		list = append(list, e.AsString())
	}
	return value{list: list}, true
}
