package template

import (
	"bytes"
	"fmt"
	"io/fs"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// maxDiagnostics bounds what one error carries: it has to fit into a message.
const maxDiagnostics = 100

// Diagnose turns HCL's diagnostics into an error with file, line, column and snippet, sorted by where they are and
// each named once. Warnings are left out; nil when there is no error among them. Snippets come from root.
func Diagnose(root fs.FS, code fault.Code, what string, diags hcl.Diagnostics) *fault.Error {
	var list []fault.Diagnostic
	seen := map[fault.Diagnostic]bool{}
	lines := map[string][][]byte{}
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		one := diagnostic(d)
		if one.Snippet = snippet(root, lines, one); !seen[one] {
			seen[one] = true
			list = append(list, one)
		}
	}
	if len(list) == 0 {
		return nil
	}
	sort.SliceStable(list, func(i, j int) bool { return before(list[i], list[j]) })
	return fault.New(fault.Reject, code, "%s", headline(what, list)).With(list[:min(len(list), maxDiagnostics)]...)
}

func before(a, b fault.Diagnostic) bool {
	switch {
	case a.File != b.File:
		return a.File < b.File
	case a.Line != b.Line:
		return a.Line < b.Line
	case a.Column != b.Column:
		return a.Column < b.Column
	}
	return a.Summary+a.Detail < b.Summary+b.Detail
}

func headline(what string, list []fault.Diagnostic) string {
	first := list[0]
	where := ""
	if first.File != "" {
		where = fmt.Sprintf("%s:%d: ", first.File, first.Line)
	}
	text := strings.TrimSpace(first.Summary + ". " + first.Detail)
	switch n := len(list); {
	case n == 1:
		return fmt.Sprintf("%s: %s%s", what, where, text)
	case n > maxDiagnostics:
		return fmt.Sprintf("%s: %d mistakes, of which the first %d are listed; the first: %s%s", what, n, maxDiagnostics, where, text)
	default:
		return fmt.Sprintf("%s: %d mistakes; the first: %s%s", what, n, where, text)
	}
}

func diagnostic(d *hcl.Diagnostic) fault.Diagnostic {
	one := fault.Diagnostic{Severity: "error", Summary: d.Summary, Detail: withhold(d)}
	if d.Subject != nil {
		one.File, one.Line, one.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
	}
	return one
}

// withhold keeps back the words of a function or conversion that met a sensitive value: they may quote it.
func withhold(d *hcl.Diagnostic) string {
	if d.Expression == nil || d.EvalContext == nil || !touchesSecret(d.Expression, d.EvalContext) {
		return d.Detail
	}
	return "The details are withheld, because a sensitive value takes part."
}

func touchesSecret(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	for _, t := range expr.Variables() {
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			v = rootValue(ctx, t.RootName())
		}
		if v != cty.NilVal && holdsSecret(v) {
			return true
		}
	}
	secret := false
	if syntax, ok := expr.(hclsyntax.Expression); ok {
		hclsyntax.VisitAll(syntax, func(n hclsyntax.Node) hcl.Diagnostics {
			call, ok := n.(*hclsyntax.FunctionCallExpr)
			secret = secret || ok && call.Name == "sensitive"
			return nil
		})
	}
	return secret
}

// holdsSecret leaves out sensitive values that are not known: there is nothing in them to quote.
func holdsSecret(v cty.Value) bool {
	found := false
	_ = cty.Walk(v, func(_ cty.Path, part cty.Value) (bool, error) {
		found = found || part.HasMark(lang.Sensitive) && part.IsKnown()
		return !found, nil
	})
	return found
}

func rootValue(ctx *hcl.EvalContext, name string) cty.Value {
	for ; ctx != nil; ctx = ctx.Parent() {
		if v, ok := ctx.Variables[name]; ok {
			return v
		}
	}
	return cty.NilVal
}

// snippet is the line that a diagnostic points at, without its indentation's tail and cut to a readable length.
func snippet(root fs.FS, cache map[string][][]byte, d fault.Diagnostic) string {
	if d.File == "" || d.Line < 1 || root == nil {
		return ""
	}
	lines, known := cache[d.File]
	if !known {
		data, err := fs.ReadFile(root, d.File)
		if err == nil {
			lines = bytes.Split(data, []byte("\n"))
		}
		cache[d.File] = lines
	}
	if d.Line > len(lines) {
		return ""
	}
	const longest = 200
	line := []rune(strings.ToValidUTF8(strings.TrimRight(string(lines[d.Line-1]), " \t\r"), "\uFFFD"))
	if len(line) > longest {
		line = append(line[:longest:longest], []rune(" ...")...)
	}
	return string(line)
}
