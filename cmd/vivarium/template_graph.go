package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/template"
)

// blockGraph is a template before it is expanded: a node for every block.
type blockGraph struct {
	Template string      `json:"template"`
	Nodes    []blockNode `json:"nodes"`
	Edges    []blockEdge `json:"edges"`
}

type blockNode struct {
	Address     string `json:"address"`
	Executor    string `json:"executor"`
	Group       string `json:"group,omitempty"`
	Repeat      string `json:"repeat,omitempty"`
	Description string `json:"description,omitempty"`
}

type blockEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

func newTemplateGraph(c *cli) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "graph FOLDER",
		Short:   "Print what a template is made of, and what depends on what",
		Example: "  vivarium template graph templates/notes -o dot | dot -Tsvg > notes.svg",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds, err := c.kinds(cmd.Context())
			if err != nil {
				return err
			}
			t, err := compile(args[0], kinds)
			if err != nil {
				return err
			}
			return c.writeGraph(graphOf(t), format)
		},
	}
	outputFlag(cmd, &format, formatJSON, formatDOT, formatMermaid)
	return cmd
}

func (c *cli) writeGraph(g blockGraph, format string) error {
	var text string
	switch format {
	case formatDOT:
		text = g.dot()
	case formatMermaid:
		text = g.mermaid()
	default:
		return writeJSON(c.out, g)
	}
	_, err := fmt.Fprint(c.out, text)
	return err
}

func graphOf(t *template.Template) blockGraph {
	s := t.Summary()
	g := blockGraph{Template: t.Name + "@" + t.Version, Nodes: []blockNode{}, Edges: []blockEdge{}}
	for _, b := range append(s.Resources, s.Actions...) {
		g.Nodes = append(g.Nodes, blockNode{short(b.Address), b.Executor, b.Group, b.Repeat, b.Description})
		for _, to := range b.DependsOn {
			g.Edges = append(g.Edges, blockEdge{short(b.Address), short(to)})
		}
	}
	return g
}

// groups are the names of the groups in the order of their first nodes; "" where some node has none.
func (g blockGraph) groups() []string {
	var names []string
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		if !seen[n.Group] {
			seen[n.Group] = true
			names = append(names, n.Group)
		}
	}
	return names
}

func (n blockNode) label() string {
	if n.Repeat != "" {
		return n.Address + " (" + n.Repeat + ")"
	}
	return n.Address
}

// dot is the graph in Graphviz's language.
func (g blockGraph) dot() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=RL\n  node [shape=box, style=rounded]\n", strconv.Quote(g.Template))
	for i, group := range g.groups() {
		if group != "" {
			fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s\n", i, strconv.Quote(group))
		}
		for _, n := range g.Nodes {
			if n.Group == group {
				fmt.Fprintf(&b, "    %s [label=%s]\n", strconv.Quote(n.Address), strconv.Quote(n.label()))
			}
		}
		if group != "" {
			b.WriteString("  }\n")
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s\n", strconv.Quote(e.From), strconv.Quote(e.To))
	}
	return b.String() + "}\n"
}

// mermaid is the graph as Markdown pages show it.
func (g blockGraph) mermaid() string {
	var b strings.Builder
	ids := map[string]string{}
	id := func(address string) string {
		if ids[address] == "" {
			ids[address] = fmt.Sprintf("n%d", len(ids))
		}
		return ids[address]
	}
	b.WriteString("flowchart RL\n")
	for i, group := range g.groups() {
		if group != "" {
			fmt.Fprintf(&b, "  subgraph g%d[\"%s\"]\n", i, mermaidText(group))
		}
		for _, n := range g.Nodes {
			if n.Group == group {
				fmt.Fprintf(&b, "    %s[\"%s\"]\n", id(n.Address), mermaidText(n.label()))
			}
		}
		if group != "" {
			b.WriteString("  end\n")
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s --> %s\n", id(e.From), id(e.To))
	}
	return b.String()
}

// mermaidText writes what would end a label as an entity.
func mermaidText(text string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;").Replace(text)
}
