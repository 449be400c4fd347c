package template

import (
	"io/fs"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Compile reads the template in a folder. fsys is that folder, and dir the same on disk: links are followed only
// with dir, and Kind.Inspect gets it. One of the two may be left out (nil, ""). The error is a *fault.Error of code
// InvalidTemplate that holds every mistake found, over all *.hcl files of the folder.
func Compile(fsys fs.FS, dir string, kinds Kinds) (*Template, error) {
	t, err := compile(fsys, dir, kinds)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// compiler holds one compilation. Nothing in it stops at a mistake: mistakes are collected, and what is wrong is
// given a value of unknown type, so that it is reported once.
type compiler struct {
	t      *Template
	kinds  Kinds
	kindOf map[string]*Kind
	dir    string
	diags  hcl.Diagnostics
	places map[string]hcl.Range
	checks []check
	// sawTemplate is where the template block stands.
	sawTemplate *hcl.Range
	seen        inspections
	groupUses   []groupUse
	fetched     bool // something that does not lie in the template's folder is part of it
}

// compile returns what is known of the template (name and version, as far as they could be read) beside an error.
func compile(fsys fs.FS, dir string, kinds Kinds) (*Template, *fault.Error) {
	c := &compiler{
		t: &Template{
			parameterOf: map[string]*Parameter{}, localOf: map[string]*LocalValue{},
			blockOf: map[string]*Block{}, outputOf: map[string]*OutputValue{},
			packs: &packs{done: map[string]*event.Bundle{}},
		},
		kinds: kinds, kindOf: map[string]*Kind{}, dir: dir, places: map[string]hcl.Range{}, seen: inspections{},
	}
	for name, k := range kinds {
		c.kindOf[name] = &k
	}
	c.t.files, c.diags = readFolder(fsys, dir)
	c.t.functions = lang.Functions(c.t.files)
	c.hash()
	for _, body := range c.parse() {
		c.declare(body)
	}
	c.requireTemplate()
	c.resolve()
	if c.fetched {
		c.hashAll()
	}
	what := "the template"
	if c.t.Name != "" {
		what = "template " + c.t.Name
	}
	return c.t, Diagnose(c.t.files, fault.InvalidTemplate, what, c.diags)
}

func (c *compiler) hash() {
	hash, err := bundle.Hash(c.t.files, ".")
	if err != nil {
		c.diags = append(c.diags, folderError("", "The template's folder can't be read", fault.From(err)))
	}
	c.t.Hash, c.t.own = hash, hash
}

// resolve does what needs all declarations: references, then values from the inside out.
func (c *compiler) resolve() {
	c.checkGroups()
	c.checkMoves()
	c.checkReferences()
	c.orderLocals()
	c.closeEdges()
	// Before any is inspected, since what is evaluated for that may mention blocks that come later.
	for _, b := range c.t.blocks {
		b.Outputs = b.Kind.Outputs
	}
	for _, b := range c.t.blocks {
		c.inspect(b)
	}
	c.checkOutputReferences()
	c.evaluateParameters()
	for _, l := range c.t.locals {
		c.evaluateLocal(l)
	}
	for _, b := range c.t.blocks {
		c.evaluateBlock(b)
	}
	for _, o := range c.t.outputs {
		c.value(o.Value, nil)
	}
	for _, e := range c.t.entrypoints {
		c.evaluateEntrypoint(e)
	}
}

func (c *compiler) add(diags ...*hcl.Diagnostic) {
	c.diags = append(c.diags, diags...)
	for _, d := range diags {
		if _, passing := d.Extra.(Passing); passing {
			c.t.passing = true
		}
	}
}

func (c *compiler) fail(rng hcl.Range, summary, detail string) { c.add(errorAt(rng, summary, detail)) }

// claim takes a name for a thing, and tells whether it was free; what names the thing in errors.
func (c *compiler) claim(what, name string, rng hcl.Range) bool {
	if !ValidName(name) {
		c.fail(rng, "Invalid name", "\""+name+"\" can't be the name of "+article(what)+". "+nameRule)
		return false
	}
	key := what + " " + name
	if first, taken := c.places[key]; taken {
		c.fail(rng, "Duplicate "+what, "There is "+article(what)+" \""+name+"\" already, at "+place(first)+".")
		return false
	}
	c.places[key] = rng
	return true
}

func (c *compiler) expr(e hcl.Expression) *Expr {
	syntax := e.(hclsyntax.Expression) // only native syntax is ever parsed
	refs := lang.References(syntax)
	return &Expr{Expression: e, Refs: refs, Needs: lang.NewNeeds(refs)}
}
