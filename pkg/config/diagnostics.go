package config

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// diagnostics in the order of the file; HCL gives those of attributes in no order at all.
func diagnostics(diags hcl.Diagnostics, source []byte) []fault.Diagnostic {
	var all []fault.Diagnostic
	for _, d := range diags {
		all = append(all, diagnostic(d, source))
	}
	return all
}

func byLine(a, b fault.Diagnostic) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
}

// diagnostic turns HCL's into ours.
func diagnostic(d *hcl.Diagnostic, source []byte) fault.Diagnostic {
	out := fault.Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		out.Severity = "warning"
	}
	if d.Subject == nil {
		return out
	}
	out.File, out.Line, out.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
	out.Snippet = snippet(source, out.Line)
	return out
}

// snippet is a line of the file, unless it may hold a secret: messages end up in logs and tickets.
func snippet(source []byte, line int) string {
	lines := bytes.Split(source, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	text := string(bytes.TrimRight(lines[line-1], "\r"))
	for _, t := range table {
		if t.Secret && strings.Contains(text, t.Path) {
			return ""
		}
	}
	return text
}
