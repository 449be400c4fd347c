package bootstrap

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Definition is an environment that is to be created once the service is there.
type Definition struct {
	Name   string
	Create event.Create
}

// block is an environment block as it is written.
type block struct {
	Name        string    `hcl:"name,label"`
	Templates   []string  `hcl:"templates"`
	Parameters  cty.Value `hcl:"parameters,optional"`
	Description string    `hcl:"description,optional"`
	Tags        []string  `hcl:"tags,optional"`
	Lifetime    string    `hcl:"lifetime,optional"`
}

// ReadDefinitions reads all files *.hcl of a folder, in order. What is wrong is one error with a diagnostic for each mistake.
func ReadDefinitions(r Repository) (list []Definition, err error) {
	files, err := filepath.Glob(filepath.Join(r.Dir, "*.hcl"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	parser := hclparse.NewParser()
	var wrong hcl.Diagnostics
	for _, file := range files {
		found, diagnostics := readFile(parser, file)
		wrong = append(wrong, diagnostics...)
		list = append(list, found...)
	}
	seen := map[string]bool{}
	for _, d := range list {
		if seen[d.Name] || d.Name == Environment {
			return nil, fault.New(fault.Reject, fault.Invalid, "%s at %s defines the environment %q twice, or it is environment zero's name", r.Name, short(r.Commit), d.Name)
		}
		seen[d.Name] = true
	}
	if wrong.HasErrors() {
		return nil, fault.New(fault.Reject, fault.Invalid, "the environments that %s at %s defines can't be read", r.Name, short(r.Commit)).With(r.located(wrong)...)
	}
	return list, nil
}

func readFile(parser *hclparse.Parser, file string) (list []Definition, wrong hcl.Diagnostics) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "The file can't be read", Detail: err.Error(), Subject: &hcl.Range{Filename: file}}}
	}
	parsed, wrong := parser.ParseHCL(text, file)
	if wrong.HasErrors() {
		return nil, wrong
	}
	var all struct {
		Environments []block `hcl:"environment,block"`
	}
	if wrong = gohcl.DecodeBody(parsed.Body, nil, &all); wrong.HasErrors() {
		return nil, wrong
	}
	for _, b := range all.Environments {
		parameters, err := b.parameters()
		if err != nil {
			wrong = append(wrong, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid parameters", Detail: "The parameters of " + b.Name +
				" have to be an object, with values that are known: " + err.Error(), Subject: &hcl.Range{Filename: file, Start: hcl.InitialPos}})
		}
		list = append(list, Definition{b.Name, event.Create{Templates: b.Templates, Parameters: parameters, Description: b.Description, Tags: b.Tags, Lifetime: b.Lifetime}})
	}
	return list, wrong
}

func (b block) parameters() (map[string]json.RawMessage, error) {
	if b.Parameters == cty.NilVal || b.Parameters.IsNull() {
		return nil, nil
	}
	text, err := ctyjson.Marshal(b.Parameters, b.Parameters.Type())
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	return all, json.Unmarshal(text, &all)
}

// located says of each mistake in which repository, commit, file and line it is.
func (r Repository) located(wrong hcl.Diagnostics) (list []fault.Diagnostic) {
	for _, d := range wrong {
		f := fault.Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Subject != nil {
			f.File, f.Line, f.Column = r.at(d.Subject.Filename), d.Subject.Start.Line, d.Subject.Start.Column
		}
		list = append(list, f)
	}
	return list
}

// at names a file of the checkout for people.
func (r Repository) at(file string) string {
	if relative, err := filepath.Rel(r.Dir, file); err == nil && filepath.IsAbs(file) {
		file = relative
	}
	if r.Commit == "" {
		return file
	}
	return r.Name + "@" + short(r.Commit) + ":" + strings.TrimPrefix(file, "./")
}

// short is the beginning of a commit.
func short(commit string) string { return commit[:min(12, len(commit))] }
