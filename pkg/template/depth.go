package template

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxDepth bounds how deep expressions nest: the parser recurses, and a stack that is used up can't be recovered from.
const maxDepth = 500

// tooDeep finds nesting beyond maxDepth. Only a file whose bytes look suspicious is read token by token.
func tooDeep(source []byte, name string) *hcl.Diagnostic {
	if !suspicious(source) {
		return nil
	}
	tokens, _ := hclsyntax.LexConfig(source, name, hcl.InitialPos)
	depth, run, choices := 0, 0, 0
	for _, t := range tokens {
		d, u, q := weigh(t.Type)
		depth += d
		if run += u; u == 0 {
			run = 0
		}
		if choices += q; depth == 0 && t.Type == hclsyntax.TokenNewline {
			choices = 0
		}
		if depth > maxDepth || run > maxDepth || choices > maxDepth {
			return errorAt(t.Range, "Nested too deeply", fmt.Sprintf("Expressions and blocks may nest at most %d levels deep.", maxDepth))
		}
	}
	return nil
}

// hugeNumber finds a number with so many digits that writing it out would fill the memory.
func hugeNumber(source []byte, name string) *hcl.Diagnostic {
	if !hugePattern.Match(source) {
		return nil
	}
	tokens, _ := hclsyntax.LexConfig(source, name, hcl.InitialPos)
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenNumberLit && hugePattern.Match(t.Bytes) {
			return errorAt(t.Range, "Number out of range", "A number has an exponent of at most three digits.")
		}
	}
	return nil
}

var hugePattern = regexp.MustCompile(`[0-9.][eE][+-]?0*[1-9][0-9]{3}`)

// weigh says how a token changes the depth, whether it is an operator before a value, and whether it is a choice.
func weigh(t hclsyntax.TokenType) (depth, unary, choice int) {
	switch t {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenTemplateInterp,
		hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
		return 1, 0, 0
	case hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenTemplateSeqEnd,
		hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
		return -1, 0, 0
	case hclsyntax.TokenBang, hclsyntax.TokenMinus:
		return 0, 1, 0
	case hclsyntax.TokenQuestion:
		return 0, 0, 1
	}
	return 0, 0, 0
}

// suspicious is quick and errs on the side of yes. Brackets in comments and texts count too.
func suspicious(source []byte) bool {
	depth, run, choices := 0, 0, 0
	for _, b := range source {
		switch b {
		case '{', '(', '[':
			depth++
		case '}', ')', ']':
			depth = max(depth-1, 0)
		case '?':
			choices++
		case '\n':
			if depth == 0 {
				choices = 0
			}
		}
		switch b {
		case '!', '-':
			run++
		case ' ', '\t', '\n', '\r':
		default:
			run = 0
		}
		// Closing brackets in texts may have lowered the count, so the limit here is half of the real one.
		if depth > maxDepth/2 || run > maxDepth/2 || choices > maxDepth/2 {
			return true
		}
	}
	return false
}
