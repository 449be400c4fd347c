package terraform

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/terraform-config-inspect/tfconfig"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
)

// module is what a folder of Terraform files declares.
type module struct {
	*tfconfig.Module
	// backend is the type of the backend in which it keeps its state itself, in a place that lasts; "cloud" for that block,
	// "" for none. A backend "local" does not count: it would keep the state in clear in a working folder that may be lost
	// at any time.
	backend string
}

// isModule tells whether there are Terraform files in a folder.
func isModule(fsys fs.FS, at string) bool { return len(files(fsys, at)) > 0 }

var _ bundle.Has = isModule

func files(fsys fs.FS, dir string) []string {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && !strings.HasPrefix(name, ".") &&
			(strings.HasSuffix(name, ".tf") || strings.HasSuffix(name, ".tf.json")) {
			found = append(found, path.Join(dir, name))
		}
	}
	return found
}

// read parses the module in a folder. File names in the diagnostics are paths in fsys.
func read(fsys fs.FS, dir string) (module, hcl.Diagnostics) {
	// terraform-config-inspect falls back to the language of Terraform 0.11 where a file can't be parsed, and keeps no
	// columns: what can't be parsed is found here.
	backend, diags := parse(fsys, dir)
	if diags.HasErrors() {
		return module{}, diags
	}
	loaded, problems := tfconfig.LoadModuleFromFilesystem(tfconfig.WrapFS(fsys), dir)
	for _, p := range problems {
		if p.Severity != tfconfig.DiagError {
			continue
		}
		d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: p.Summary, Detail: p.Detail}
		if p.Pos != nil {
			at := hcl.Pos{Line: p.Pos.Line, Column: 1}
			d.Subject = &hcl.Range{Filename: p.Pos.Filename, Start: at, End: at}
		}
		diags = append(diags, d)
	}
	return module{Module: loaded, backend: backend}, diags
}

var (
	rootSchema     = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "terraform"}}}
	settingsSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "backend", LabelNames: []string{"type"}}, {Type: "cloud"}}}
)

// parse reads the files' syntax, and whether a backend is among what they say.
func parse(fsys fs.FS, dir string) (backend string, diags hcl.Diagnostics) {
	parser := hclparse.NewParser()
	for _, name := range files(fsys, dir) {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "File can't be read", Detail: name + " can't be read."})
			continue
		}
		language := parser.ParseHCL
		if strings.HasSuffix(name, ".json") {
			language = parser.ParseJSON
		}
		file, problems := language(text, name)
		diags = append(diags, problems...)
		if problems.HasErrors() {
			continue
		}
		// What else is wrong with the blocks is for terraform-config-inspect to find.
		content, _, _ := file.Body.PartialContent(rootSchema)
		for _, b := range content.Blocks {
			settings, _, _ := b.Body.PartialContent(settingsSchema)
			for _, s := range settings.Blocks {
				switch {
				case s.Type == "cloud":
					backend = s.Type
				case s.Labels[0] != "local":
					backend = s.Labels[0]
				}
			}
		}
	}
	return backend, diags
}

// localCalls are the folders of the modules that a module in dir calls by a relative path, as cleaned paths that may
// begin with "..".
func (m module) localCalls(dir string) map[string]*tfconfig.ModuleCall {
	found := map[string]*tfconfig.ModuleCall{}
	for _, call := range m.ModuleCalls {
		if strings.HasPrefix(call.Source, "./") || strings.HasPrefix(call.Source, "../") {
			found[path.Join(dir, call.Source)] = call
		}
	}
	return found
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
