package template

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// MainFile is the file that makes a folder a template.
const MainFile = "template.hcl"

// parse reads all *.hcl files of the folder itself, in the order of their names.
func (c *compiler) parse() []*hclsyntax.Body {
	list, err := fs.ReadDir(c.t.files, ".")
	if err != nil {
		return nil // reported by readFolder
	}
	var bodies []*hclsyntax.Body
	for _, d := range list {
		if d.IsDir() || path.Ext(d.Name()) != ".hcl" {
			continue
		}
		source := c.t.files.files[d.Name()].data
		if refused := firstOf(tooDeep(source, d.Name()), hugeNumber(source, d.Name())); refused != nil {
			c.add(refused)
			continue
		}
		if parts := parseParts(source, d.Name()); parts != nil {
			bodies = append(bodies, parts...)
			continue
		}
		file, diags := hclsyntax.ParseConfig(source, d.Name(), hcl.InitialPos)
		c.add(diags...)
		if file != nil {
			bodies = append(bodies, file.Body.(*hclsyntax.Body))
		}
	}
	return bodies
}

// partSize is from how many bytes on a file is parsed in parts: the parser keeps all tokens of what it is given at
// once, some twenty times the size of the text.
const partSize = 256 << 10

// parseParts cuts a large file behind lines that are "}" alone. Such a line mostly ends a block; where it does not,
// as within a heredoc, the part does not parse, and nil says that the file has to be taken as a whole.
func parseParts(source []byte, name string) []*hclsyntax.Body {
	if len(source) <= partSize {
		return nil
	}
	var bodies []*hclsyntax.Body
	start := hcl.InitialPos
	for start.Byte < len(source) {
		end := len(source)
		if start.Byte+partSize < end {
			if at := bytes.Index(source[start.Byte+partSize:], []byte("\n}\n")); at >= 0 {
				end = start.Byte + partSize + at + len("\n}\n")
			}
		}
		part := source[start.Byte:end]
		file, diags := hclsyntax.ParseConfig(part, name, start)
		if diags.HasErrors() || file == nil {
			return nil
		}
		bodies = append(bodies, file.Body.(*hclsyntax.Body))
		start = hcl.Pos{Byte: end, Line: start.Line + bytes.Count(part, []byte("\n")), Column: 1}
	}
	return bodies
}

func firstOf(diags ...*hcl.Diagnostic) *hcl.Diagnostic {
	for _, d := range diags {
		if d != nil {
			return d
		}
	}
	return nil
}

// labels of the blocks that a file may hold.
var blockLabels = map[string][]string{
	"template":   {"name"},
	"parameter":  {"name"},
	"locals":     {},
	"group":      {"name"},
	Moved:        {},
	"resource":   {"executor", "name"},
	"action":     {"name"},
	"entrypoint": {"name"},
	"status":     {"name"},
	"output":     {"name"},
	"schedule":   {},
	"drift":      {},
	"approval":   {},
}

// declare takes in what one file declares.
func (c *compiler) declare(body *hclsyntax.Body) {
	for _, attr := range body.Attributes {
		c.fail(attr.NameRange, "Unexpected attribute", fmt.Sprintf("%q does not belong at the top of a file, where only blocks stand.%s%s",
			attr.Name, listing("blocks", keysOf(blockLabels)), suggestion(attr.Name, keysOf(blockLabels))))
	}
	for _, b := range body.Blocks {
		labels, known := blockLabels[b.Type]
		if !known {
			c.fail(b.TypeRange, "Unknown block", fmt.Sprintf("There is no block of type %q.%s%s",
				b.Type, suggestion(b.Type, keysOf(blockLabels)), listing("blocks", keysOf(blockLabels))))
			continue
		}
		if len(b.Labels) != len(labels) {
			c.fail(b.DefRange(), "Wrong labels", fmt.Sprintf("A %s block has %d labels %v, this one has %d.", b.Type, len(labels), labels, len(b.Labels)))
			continue
		}
		c.block(b)
	}
}

func (c *compiler) block(b *hclsyntax.Block) {
	switch b.Type {
	case "template":
		c.declareTemplate(b)
	case "parameter":
		c.declareParameter(b)
	case "locals":
		c.declareLocals(b)
	case Moved:
		c.declareMoved(b)
	case "group":
		c.declareGroup(b)
	case lang.Resource, lang.Action:
		c.declareBlock(b)
	case Status:
		c.declareStatus(b)
	case "entrypoint":
		c.declareEntrypoint(b)
	case "output":
		c.declareOutput(b)
	case "schedule":
		c.declareSchedule(b)
	case "drift":
		c.declareDrift(b)
	case "approval":
		c.declareApproval(b)
	}
}

func article(what string) string {
	switch what[0] {
	case 'a', 'e', 'i', 'o', 'u':
		return "an " + what
	}
	return "a " + what
}

func place(rng hcl.Range) string { return fmt.Sprintf("%s:%d", rng.Filename, rng.Start.Line) }
