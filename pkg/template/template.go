package template

import (
	"io/fs"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Sensitive is the cty mark of a value that nobody may read.
const Sensitive = lang.Sensitive

// Template is a compiled template. It is immutable, whatever happens to its folder afterwards, and safe for
// concurrent use; its fields and all that its methods return are for reading only.
type Template struct {
	Name        string
	Version     string
	Hash        string // SHA-256 over the names and contents of its files, hexadecimal
	Commit      string // of the git checkout it was read from, "-dirty" appended when it had changes; "" without one
	Description string
	Tags        []string
	// Parallelism bounds how many steps of an environment run at once; 0 for no bound of its own.
	Parallelism int
	// Lifetime of an environment that is given none; 0 for none. Standing is what is done with it again and again.
	Lifetime time.Duration
	Standing environment.Standing

	parameters  []*Parameter
	locals      []*LocalValue
	groups      []environment.Group
	blocks      []*Block
	moves       []*MovedBlock
	outputs     []*OutputValue
	entrypoints []*EntrypointBlock
	approvals   []environment.Approval

	parameterOf map[string]*Parameter
	localOf     map[string]*LocalValue
	blockOf     map[string]*Block
	outputOf    map[string]*OutputValue

	own       string   // the hash without what was fetched
	lacking   []string // kinds that no executor has
	passing   bool     // what is wrong with it may pass by itself
	files     *snapshot
	functions map[string]function.Function
	packs     *packs
}

// Expr is an expression with what it needs to be evaluated.
type Expr struct {
	hcl.Expression
	Needs *lang.Needs
	Refs  []*lang.Reference
}

// LocalValue is one entry of locals.
type LocalValue struct {
	Name string
	Expr *Expr
	// Static ones depend on parameters and the environment alone. Edges are the nodes, and the outputs of other templates and
	// environments, that the others depend on, through further local values too.
	Static bool
	Edges  []*lang.Reference

	state localState
	rng   hcl.Range
}

// OutputValue is an output of the template.
type OutputValue struct {
	Name, Description string
	Sensitive         bool
	Value             *Expr
	// Edges are the nodes, and the outputs of other templates and environments, that the value depends on.
	Edges []*lang.Reference
}

// EntrypointBlock is an address at which people find the environment.
type EntrypointBlock struct {
	Name, Description string
	URL               *Expr
	// Edges are as those of an output.
	Edges []*lang.Reference
}

// Blocks are the resources, actions and status endpoints, in the order of the files' names and then of the source.
func (t *Template) Blocks() []*Block { return t.blocks }

// Block finds a resource or action by what a reference says.
func (t *Template) Block(root, kind, name string) *Block {
	return t.blockOf[blockKey(root, kind, name)]
}

// Locals are the local values, each behind those that it refers to.
func (t *Template) Locals() []*LocalValue { return t.locals }

// Local finds a local value, nil when there is none.
func (t *Template) Local(name string) *LocalValue { return t.localOf[name] }

// OutputValues are the outputs in the order of the source.
func (t *Template) OutputValues() []*OutputValue { return t.outputs }

// OutputValue finds an output, nil when there is none.
func (t *Template) OutputValue(name string) *OutputValue { return t.outputOf[name] }

// EntrypointBlocks are the entrypoints in the order of the source.
func (t *Template) EntrypointBlocks() []*EntrypointBlock { return t.entrypoints }

// Parameter finds a parameter, nil when there is none.
func (t *Template) Parameter(name string) *Parameter { return t.parameterOf[name] }

// Functions are what the template's expressions may call.
func (t *Template) Functions() map[string]function.Function { return t.functions }

// Files is the template's folder as it was compiled, less hidden files.
func (t *Template) Files() fs.FS { return t.files }

// Ref is how an environment remembers the template.
func (t *Template) Ref() environment.Template {
	return environment.Template{Name: t.Name, Version: t.Version, Hash: t.Hash, Commit: t.Commit}
}

// withCommit is a copy that says which commit it was read from.
func (t *Template) withCommit(commit string) *Template {
	c := *t
	c.Commit = commit
	return &c
}

func blockKey(root, kind, name string) string {
	if root == lang.Action || root == Status {
		return root + "." + name
	}
	return root + "." + kind + "." + name
}
