package template

import (
	"io/fs"
	"sort"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// Summary is what a template holds, for readers.
type Summary struct {
	Resources   []BlockSummary      `json:"resources"`
	Actions     []BlockSummary      `json:"actions"`
	Entrypoints []EntrypointSummary `json:"entrypoints"`
	Outputs     []OutputSummary     `json:"outputs"`
	// Statuses are the endpoints by which the environment as a whole is validated.
	Statuses []BlockSummary `json:"statuses,omitempty"`
}

// BlockSummary is one resource or action.
type BlockSummary struct {
	// Address within the template: resource.KIND.NAME or action.NAME.
	Address     string `json:"address"`
	Executor    string `json:"executor"`
	Name        string `json:"name"`
	Group       string `json:"group,omitempty"`
	Description string `json:"description,omitempty"`
	// Repeat is "for_each", "count" or "" for a block that is one node.
	Repeat string `json:"repeat,omitempty"`
	// DependsOn are addresses, sorted; outputs of other templates as template.NAME.outputs.OUTPUT.
	DependsOn []string `json:"depends_on,omitempty"`
	Probed    bool     `json:"probed,omitempty"`
	// RunOn says when an action runs; empty is "create" alone.
	RunOn []environment.Occasion `json:"run_on,omitempty"`
}

// EntrypointSummary is an entrypoint whose address depends on the environment.
type EntrypointSummary struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// OutputSummary is an output of the template.
type OutputSummary struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
}

// Source is one *.hcl file of the template.
type Source struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

// Groups are the declared groups, in the order of the source.
func (t *Template) Groups() []environment.Group {
	return append([]environment.Group(nil), t.groups...)
}

// Summary lists what the template holds, in the order of the source.
func (t *Template) Summary() Summary {
	s := Summary{Resources: []BlockSummary{}, Actions: []BlockSummary{}, Entrypoints: []EntrypointSummary{}, Outputs: []OutputSummary{}}
	for _, b := range t.blocks {
		switch b.Type {
		case environment.ActionNode:
			s.Actions = append(s.Actions, b.summary())
		case environment.StatusNode:
			s.Statuses = append(s.Statuses, b.summary())
		default:
			s.Resources = append(s.Resources, b.summary())
		}
	}
	for _, e := range t.entrypoints {
		s.Entrypoints = append(s.Entrypoints, EntrypointSummary{Name: e.Name, Description: e.Description})
	}
	for _, o := range t.outputs {
		s.Outputs = append(s.Outputs, OutputSummary{Name: o.Name, Description: o.Description, Sensitive: o.Sensitive})
	}
	return s
}

func (b *Block) summary() BlockSummary {
	depends := map[string]bool{}
	for _, ref := range b.Edges {
		name := ref.String()
		if !ref.IsNode() {
			name += ".outputs." + ref.Attr
		}
		depends[name] = true
	}
	return BlockSummary{
		Address: b.Key(), Executor: b.Kind.Name, Name: b.Name, Group: b.Group, Description: b.Description,
		Repeat: string(b.Repeat), DependsOn: keysOf(depends), Probed: b.Probed(), RunOn: b.RunOn,
	}
}

// Sources are the *.hcl files that the template was compiled from, sorted by name.
func (t *Template) Sources() []Source {
	var list []Source
	names, _ := fs.Glob(t.files, "*.hcl") // the pattern is valid, and a snapshot can be read
	sort.Strings(names)
	for _, name := range names {
		list = append(list, Source{Name: name, Content: string(t.files.files[name].data)})
	}
	return list
}
