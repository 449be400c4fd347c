package main

import (
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// diagnosticsText is how Terraform shows them: a bar at the side, the place, the line and a caret below it.
func diagnosticsText(all []fault.Diagnostic, s style) string {
	var b strings.Builder
	for _, d := range all {
		writeDiagnostic(&b, d, s)
	}
	return b.String()
}

func writeDiagnostic(b *strings.Builder, d fault.Diagnostic, s style) {
	paint, title := s.red, "Error"
	if d.Severity == "warning" {
		paint, title = s.yellow, "Warning"
	}
	line := func(text string) { b.WriteString(strings.TrimRight(paint("│")+" "+text, " ") + "\n") }
	b.WriteString(paint("╷") + "\n")
	line(paint(title+": ") + s.bold(cut(d.Summary, 400)))
	if d.File != "" {
		line("")
		line(fmt.Sprintf("  on %s line %d:", clean(d.File), d.Line))
		for _, text := range snippetLines(d, s) {
			line(text)
		}
	}
	if d.Detail != "" {
		line("")
		for part := range strings.SplitSeq(strings.TrimRight(clean(d.Detail), "\n"), "\n") {
			line(part)
		}
	}
	b.WriteString(paint("╵") + "\n")
}

// snippetLines are the numbered source lines and, below the first, a caret at the column.
func snippetLines(d fault.Diagnostic, s style) []string {
	if d.Snippet == "" {
		return nil
	}
	var lines []string
	for i, source := range strings.Split(strings.TrimRight(clean(d.Snippet), "\n"), "\n") {
		number := fmt.Sprintf("%4d: ", d.Line+i)
		lines = append(lines, number+source)
		if i == 0 && d.Column > 0 {
			lines = append(lines, strings.Repeat(" ", len(number))+indent(source, d.Column-1)+s.red("^"))
		}
	}
	return lines
}

// indent is as wide as the first bytes of a line, with its tabs kept so that the caret stands below its character.
// HCL counts columns in grapheme clusters; runes come close enough for a caret.
func indent(source string, columns int) string {
	var b strings.Builder
	for i, r := range []rune(source) {
		if i == columns {
			return b.String()
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}
