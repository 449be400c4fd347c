package api

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// colour of a status in drawings: fill and border.
type colour struct{ fill, line string }

var colours = map[environment.Status]colour{
	environment.Pending:                {"#eceff1", "#90a4ae"},
	environment.Deploying:              {"#bbdefb", "#1e88e5"},
	environment.Validating:             {"#b3e5fc", "#0288d1"},
	environment.Deployed:               {"#c8e6c9", "#43a047"},
	environment.Failed:                 {"#ffcdd2", "#e53935"},
	environment.Destroying:             {"#ffe0b2", "#fb8c00"},
	environment.Destroyed:              {"#f5f5f5", "#bdbdbd"},
	environment.DestroyFailed:          {"#ffccbc", "#d84315"},
	environment.Running:                {"#d1c4e9", "#5e35b1"},
	environment.Checking:               {"#d1c4e9", "#5e35b1"},
	environment.Planning:               {"#d1c4e9", "#5e35b1"},
	environment.Planned:                {"#fafafa", "#5e35b1"},
	environment.StatusAwaitingApproval: {"#fff3e0", "#ef6c00"},
	environment.Idle:                   {"#fafafa", "#9e9e9e"},

	environment.StatusRetained: {"#fff8e1", "#8d6e63"},
}

// colourOf is that of pending for a status of another version.
func colourOf(s environment.Status) colour {
	if c, ok := colours[s]; ok {
		return c
	}
	return colours[environment.Pending]
}

// dot draws the picture for Graphviz: a cluster each group, arrows from what depends to what it stands on. Nodes and edges have
// ids and classes, so that a page may style and script the finished picture.
func (p picture) dot() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n", dotText(p.title))
	fmt.Fprintf(&b, "  label=%s labelloc=t fontname=%q rankdir=TB\n", dotText(p.title), dotFont)
	fmt.Fprintf(&b, "  node [shape=box style=\"rounded,filled\" margin=\"0.17,0.07\" fontname=%q fontsize=11]\n", dotFont)
	fmt.Fprintf(&b, "  edge [color=\"#78909c\" arrowsize=0.7 fontname=%q fontsize=9]\n", dotFont)
	loose, names, members := p.sections()
	for _, i := range loose {
		dotNode(&b, "  ", i, p.nodes[i])
	}
	for n, name := range names {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s color=\"#b0bec5\" style=rounded fontname=%q\n", n, dotText(name), dotFont)
		for _, i := range members[name] {
			dotNode(&b, "    ", i, p.nodes[i])
		}
		b.WriteString("  }\n")
	}
	for i, e := range p.edges {
		label := ""
		if e.label != "" {
			label = " label=" + dotText(e.label) + " style=dashed"
		}
		fmt.Fprintf(&b, "  n%d -> n%d [id=e%d%s]\n", e.from, e.to, i, label)
	}
	b.WriteString("}\n")
	return b.String()
}

// dotFont is one whose widths Graphviz knows without having it, so that texts fit their boxes.
const dotFont = "Helvetica,Arial,sans-serif"

func dotNode(b *strings.Builder, indent string, i int, node pictureNode) {
	c, more := colourOf(node.status), ""
	if node.action {
		more += " shape=note style=filled"
	}
	if node.marked {
		more += " penwidth=3"
	}
	label := node.name
	if node.detail != "" {
		label += "\n" + node.detail
	}
	fmt.Fprintf(b, "%sn%d [id=n%d class=%q label=%s tooltip=%s fillcolor=%q color=%q%s]\n",
		indent, i, i, statusClass(node.status), dotText(label), dotText(node.tip), c.fill, c.line, more)
}

// dotEscape covers what means something in a quoted string of DOT, or in a label: quotes, the escapes that begin
// with a backslash, HTML entities.
var dotEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;", "\n", `\n`)

func dotText(text string) string {
	return `"` + dotEscape.Replace(visible(text, "\n")) + `"`
}

// visible drops what is not text: broken UTF-8 and control characters other than those kept.
func visible(text, keep string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(keep, r):
			return r
		case unicode.IsControl(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// mermaid draws the picture as a flowchart.
func (p picture) mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart TB\n")
	loose, names, members := p.sections()
	for _, i := range loose {
		mermaidNode(&b, "  ", i, p.nodes[i])
	}
	for n, name := range names {
		if len(members[name]) == 0 {
			continue // Mermaid draws an empty subgraph as a node
		}
		fmt.Fprintf(&b, "  subgraph g%d[%s]\n", n, mermaidText(name))
		for _, i := range members[name] {
			mermaidNode(&b, "    ", i, p.nodes[i])
		}
		b.WriteString("  end\n")
	}
	for _, e := range p.edges {
		arrow := "-->"
		if e.label != "" {
			arrow = "-.->|" + mermaidText(e.label) + "|"
		}
		fmt.Fprintf(&b, "  n%d %s n%d\n", e.from, arrow, e.to)
	}
	for _, status := range environment.Statuses() {
		fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:#212121\n", statusClass(status), colours[status].fill, colours[status].line)
	}
	return b.String()
}

func mermaidNode(b *strings.Builder, indent string, i int, node pictureNode) {
	open, end := "[", "]"
	if node.action {
		open, end = "([", "])"
	}
	label := node.name
	if node.detail != "" {
		label += ", " + node.detail
	}
	fmt.Fprintf(b, "%sn%d%s%s%s:::%s\n", indent, i, open, mermaidText(label), end, statusClass(node.status))
}

// statusClass is a plain word for the status; one of another version is drawn as pending.
func statusClass(s environment.Status) string {
	if _, ok := colours[s]; !ok {
		s = environment.Pending
	}
	return "status_" + strings.ReplaceAll(string(s), "-", "_")
}

// mermaidText quotes a text. All but letters, digits and a few signs are written as numbered entities, since Mermaid
// looks for directives, links, markup and its own entities inside of quotes as well.
func mermaidText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range visible(text, "") {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" .,_:/()-", r) {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "#%d;", r)
	}
	b.WriteByte('"')
	return b.String()
}
