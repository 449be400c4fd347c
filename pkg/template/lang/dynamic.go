package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Dynamic is the type of the block that stands for as many blocks as its for_each has elements.
const Dynamic = "dynamic"

// iterator is the name that the content of a dynamic block has each element by: what it says, or else the type of its blocks.
func iterator(b *hclsyntax.Block) string {
	if attr := b.Body.Attributes["iterator"]; attr != nil {
		return hcl.ExprAsKeyword(attr.Expr)
	}
	if len(b.Labels) == 0 {
		return ""
	}
	return b.Labels[0]
}
