package template

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/graph"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Moved is the name of the block which says that a resource or an action is called otherwise now.
const Moved = "moved"

// MovedBlock says that what was called From is called To.
type MovedBlock struct{ From, To MoveEnd }

// Whole tells whether all instances go, with their keys.
func (m *MovedBlock) Whole() bool { return m.From.Key == "" && m.To.Key == "" }

// MoveEnd is a resource or an action, or one of its instances.
type MoveEnd struct {
	Root, Kind, Name string
	// Key is how an address writes it: ["text"], [0], or "" for none.
	Key   string
	Range hcl.Range
}

// Block names the block that it is of, as Block.Key does.
func (e MoveEnd) Block() string { return blockKey(e.Root, e.Kind, e.Name) }

func (e MoveEnd) String() string { return e.Block() + e.Key }

// Moves are the moved blocks, each behind those that lead to what it begins with.
func (t *Template) Moves() []*MovedBlock { return t.moves }

func (c *compiler) declareMoved(b *hclsyntax.Block) {
	a := c.content(b, attributes([]string{"from", "to"})).Attributes
	from, okFrom := c.moveEnd(a["from"])
	to, okTo := c.moveEnd(a["to"])
	if okFrom && okTo {
		c.t.moves = append(c.t.moves, &MovedBlock{From: from, To: to})
	}
}

func (c *compiler) moveEnd(a *hcl.Attribute) (e MoveEnd, ok bool) {
	if a == nil {
		return e, false
	}
	ref := lang.SingleReference(a.Expr.(hclsyntax.Expression))
	if ref == nil || !ref.IsNode() || ref.Malformed != "" || ref.Outputs {
		c.fail(a.Expr.Range(), "Invalid move", "A move is from and to a resource, an action, or one of their instances: resource.KIND.NAME, action.NAME or resource.KIND.NAME[\"key\"].")
		return e, false
	}
	e = MoveEnd{Root: ref.Root, Kind: ref.Kind, Name: ref.Name, Range: a.Expr.Range()}
	if !ref.Indexed {
		return e, true
	}
	if e.Key, ok = moveKey(ref.Key); !ok {
		c.fail(a.Expr.Range(), "Invalid move", "The key of an instance has to be written out: [\"key\"] or [0].")
	}
	return e, ok
}

// moveKey is a key as an address writes it.
func moveKey(e hclsyntax.Expression) (string, bool) {
	v, diags := e.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() {
		return "", false
	}
	switch v.Type() {
	case cty.String:
		return "[" + strconv.Quote(v.AsString()) + "]", validKey(v.AsString())
	case cty.Number:
		n, exact := v.AsBigFloat().Int64()
		return "[" + strconv.FormatInt(n, 10) + "]", exact == 0 && n >= 0
	}
	return "", false
}

// checkMoves finds moves that lead nowhere, begin at what is still there, or contradict each other, and puts chains into
// their order.
func (c *compiler) checkMoves() {
	froms, tos := map[string]hcl.Range{}, map[string]hcl.Range{}
	from := map[string][]int{} // places of moves by the block that they begin at
	for i, m := range c.t.moves {
		from[m.From.Block()] = append(from[m.From.Block()], i)
	}
	for _, m := range c.t.moves {
		switch {
		case m.From.Root != m.To.Root || m.From.Kind != m.To.Kind:
			c.fail(m.To.Range, "Invalid move", fmt.Sprintf("%s can't become %s: what is moved stays of its kind.", m.From, m.To))
		case m.From.String() == m.To.String():
			c.fail(m.To.Range, "Redundant move", fmt.Sprintf("%s is moved to where it is.", m.From))
		default:
			c.ambiguous(froms, m.From, "%s is moved twice, here and at %s: it can be at one place only.")
			c.ambiguous(tos, m.To, "Two are moved to %s, here and at %s: only one can be there.")
			c.checkFrom(m)
			c.checkTo(m, from[m.To.Block()])
		}
	}
	c.orderMoves(from)
}

func (c *compiler) ambiguous(seen map[string]hcl.Range, e MoveEnd, detail string) {
	if first, twice := seen[e.String()]; twice {
		c.fail(e.Range, "Ambiguous move", fmt.Sprintf(detail, e, place(first)))
		return
	}
	seen[e.String()] = e.Range
}

// StillThere is what an error calls a move from something that is declared.
const StillThere = "Moved, and still there"

// checkFrom refuses what is still declared. Whether an instance is, only its keys tell.
func (c *compiler) checkFrom(m *MovedBlock) {
	b := c.t.blockOf[m.From.Block()]
	if b == nil || m.From.Key != "" || (b.Repeat != "" && !m.Whole()) {
		return
	}
	c.fail(m.From.Range, StillThere, fmt.Sprintf("%s is declared at %s, so it can't have become %s. Take out one of the two.", m.From, place(b.Range), m.To))
}

// checkTo refuses what is neither declared nor moved on.
func (c *compiler) checkTo(m *MovedBlock, next []int) {
	b := c.t.blockOf[m.To.Block()]
	switch {
	case b == nil && slices.ContainsFunc(next, func(i int) bool { return m.leadsTo(c.t.moves[i]) }):
	case b == nil:
		ref := &lang.Reference{Root: m.To.Root, Kind: m.To.Kind, Name: m.To.Name}
		names := c.names(ref)
		c.fail(m.To.Range, "Moved to nothing", fmt.Sprintf("There is no %s.%s%s", m.To.Block(), suggestion(m.To.Name, names), listing("others of its kind", names)))
	case m.To.Key != "" && b.Repeat == "":
		c.fail(m.To.Range, "Invalid move", fmt.Sprintf("%s has neither for_each nor count, so it has no instances.", m.To.Block()))
	case m.To.Key != "" && (b.Repeat == CountRepeat) != (m.To.Key[1] != '"'):
		c.fail(m.To.Range, "Invalid move", fmt.Sprintf("%s has %s: an instance of a for_each has a text as its key, one of a count a number.", m.To.Block(), b.Repeat))
	case m.From.Key != "" && m.To.Key == "" && b.Repeat != "":
		c.fail(m.To.Range, "Invalid move", fmt.Sprintf("%s has %s, so one of its instances has to be chosen.", m.To.Block(), b.Repeat))
	}
}

// leadsTo tells whether what a move ends at may be what the next one begins at.
func (m *MovedBlock) leadsTo(next *MovedBlock) bool {
	return m != next && m.To.Block() == next.From.Block() && (m.Whole() || next.Whole() || m.To.Key == next.From.Key)
}

func (c *compiler) orderMoves(from map[string][]int) {
	g := graph.New[int]()
	for i := range c.t.moves {
		g.AddNode(i)
	}
	for i, m := range c.t.moves {
		for _, next := range from[m.To.Block()] {
			if m.leadsTo(c.t.moves[next]) {
				g.AddEdge(next, i)
			}
		}
	}
	order, err := g.Order()
	var cycle *graph.CycleError[int]
	if errors.As(err, &cycle) {
		named := &graph.CycleError[string]{}
		for _, i := range cycle.Nodes {
			named.Nodes = append(named.Nodes, c.t.moves[i].To.String())
		}
		c.fail(c.t.moves[cycle.Nodes[0]].From.Range, "Cycle", "These are moved in a circle, so none of them was the first: "+named.Error()[len("cycle: "):]+".")
		return
	}
	sorted := make([]*MovedBlock, len(order))
	for place, i := range order {
		sorted[place] = c.t.moves[i]
	}
	c.t.moves = sorted
}
