package api

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
)

// colour of a status in drawings: fill and border.
type colour struct{ fill, line string }

var colours = map[environment.Status]colour{
	environment.Pending:       {"#eceff1", "#90a4ae"},
	environment.Deploying:     {"#bbdefb", "#1e88e5"},
	environment.Validating:    {"#b3e5fc", "#0288d1"},
	environment.Deployed:      {"#c8e6c9", "#43a047"},
	environment.Failed:        {"#ffcdd2", "#e53935"},
	environment.Destroying:    {"#ffe0b2", "#fb8c00"},
	environment.Destroyed:     {"#f5f5f5", "#bdbdbd"},
	environment.DestroyFailed: {"#ffccbc", "#d84315"},
	environment.Running:       {"#d1c4e9", "#5e35b1"},
	environment.Checking:      {"#d1c4e9", "#5e35b1"},
	environment.Planning:      {"#d1c4e9", "#5e35b1"},
	environment.Planned:       {"#fafafa", "#5e35b1"},
	environment.Idle:          {"#fafafa", "#9e9e9e"},

	environment.StatusRetained: {"#fff8e1", "#8d6e63"},
}

// colourOf is that of pending for a status of another version.
func colourOf(s environment.Status) colour {
	if c, ok := colours[s]; ok {
		return c
	}
	return colours[environment.Pending]
}

// sections are the nodes by group, by number: first those of no group, then the groups in the order of the graph.
func sections(g wire.Graph) (loose []int, names []string, members map[string][]int) {
	members = map[string][]int{}
	for _, group := range g.Groups {
		if _, twice := members[group.Name]; !twice {
			names = append(names, group.Name)
			members[group.Name] = nil
		}
	}
	for i, node := range g.Nodes {
		if node.Group == "" {
			loose = append(loose, i)
			continue
		}
		if _, known := members[node.Group]; !known {
			names = append(names, node.Group)
		}
		members[node.Group] = append(members[node.Group], i)
	}
	return loose, names, members
}

// edges are pairs of node numbers: the first depends on the second.
func edges(g wire.Graph) [][2]int {
	number := make(map[string]int, len(g.Nodes))
	for i, node := range g.Nodes {
		number[node.Address] = i
	}
	var pairs [][2]int
	for _, edge := range g.Edges {
		from, ok := number[edge.From]
		to, too := number[edge.To]
		if ok && too {
			pairs = append(pairs, [2]int{from, to})
		}
	}
	return pairs
}

// DOT draws the graph for Graphviz: a cluster each group, arrows from what depends to what it stands on.
func DOT(g wire.Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n", dotText(g.Environment))
	fmt.Fprintf(&b, "  label=%s labelloc=t fontname=\"sans-serif\" rankdir=TB\n", dotText(g.Environment+" ("+string(g.Status)+")"))
	b.WriteString("  node [shape=box style=\"rounded,filled\" fontname=\"sans-serif\" fontsize=11]\n")
	b.WriteString("  edge [color=\"#78909c\" arrowsize=0.7]\n")
	loose, names, members := sections(g)
	for _, i := range loose {
		dotNode(&b, "  ", i, g.Nodes[i])
	}
	for n, name := range names {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s color=\"#b0bec5\" style=rounded fontname=\"sans-serif\"\n", n, dotText(name))
		for _, i := range members[name] {
			dotNode(&b, "    ", i, g.Nodes[i])
		}
		b.WriteString("  }\n")
	}
	for _, pair := range edges(g) {
		fmt.Fprintf(&b, "  n%d -> n%d\n", pair[0], pair[1])
	}
	b.WriteString("}\n")
	return b.String()
}

func dotNode(b *strings.Builder, indent string, i int, node wire.GraphNode) {
	c := colourOf(node.Status)
	tip := string(node.Status)
	if node.Error != nil {
		tip += ": " + node.Error.Message
	}
	shape := ""
	if node.Type == environment.ActionNode {
		shape = " shape=cds"
	}
	fmt.Fprintf(b, "%sn%d [label=%s tooltip=%s fillcolor=%q color=%q%s]\n",
		indent, i, dotText(node.Address+"\n"+node.Executor+", "+string(node.Status)), dotText(tip), c.fill, c.line, shape)
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

// Mermaid draws the graph as a flowchart.
func Mermaid(g wire.Graph) string {
	var b strings.Builder
	b.WriteString("flowchart TB\n")
	loose, names, members := sections(g)
	for _, i := range loose {
		mermaidNode(&b, "  ", i, g.Nodes[i])
	}
	for n, name := range names {
		if len(members[name]) == 0 {
			continue // Mermaid draws an empty subgraph as a node
		}
		fmt.Fprintf(&b, "  subgraph g%d[%s]\n", n, mermaidText(name))
		for _, i := range members[name] {
			mermaidNode(&b, "    ", i, g.Nodes[i])
		}
		b.WriteString("  end\n")
	}
	for _, pair := range edges(g) {
		fmt.Fprintf(&b, "  n%d --> n%d\n", pair[0], pair[1])
	}
	for _, status := range environment.Statuses() {
		fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:#212121\n", mermaidClass(status), colours[status].fill, colours[status].line)
	}
	return b.String()
}

func mermaidNode(b *strings.Builder, indent string, i int, node wire.GraphNode) {
	open, end := "[", "]"
	if node.Type == environment.ActionNode {
		open, end = "([", "])"
	}
	fmt.Fprintf(b, "%sn%d%s%s%s:::%s\n", indent, i, open, mermaidText(node.Address+", "+node.Executor+", "+string(node.Status)), end, mermaidClass(node.Status))
}

// mermaidClass is a plain word for the status; one of another version is drawn as pending.
func mermaidClass(s environment.Status) string {
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
