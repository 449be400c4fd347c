package wire

import (
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TemplateSummary is one template of the catalogue with its versions, newest first.
type TemplateSummary struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"` // of the newest version, as are the tags
	Tags        []string `json:"tags"`
	Newest      string   `json:"newest"`
	Versions    []string `json:"versions"`
}

// TemplateVersions is a template with what is known of each version, newest first.
type TemplateVersions struct {
	Name     string            `json:"name"`
	Versions []TemplateVersion `json:"versions"`
}

// TemplateVersion is one version in the catalogue, before it is opened.
type TemplateVersion struct {
	environment.Template
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags"`
	// Error says why no environment can be made from it.
	Error *fault.Error `json:"error,omitempty"`
}

// Template is one version, opened.
type Template struct {
	TemplateVersion
	Parameters  []TemplateParameter  `json:"parameters"`
	Groups      []environment.Group  `json:"groups"`
	Resources   []TemplateResource   `json:"resources"`
	Actions     []TemplateResource   `json:"actions"`
	Outputs     []TemplateOutput     `json:"outputs"`
	Entrypoints []TemplateEntrypoint `json:"entrypoints"`
	Files       []TemplateFile       `json:"files"`
}

// TemplateParameter is what an author of a command may or has to give.
type TemplateParameter struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // as in the template: number, list(string), ...
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required"`
	Sensitive   bool   `json:"sensitive"`
	// Default is absent when the parameter is required or sensitive.
	Default json.RawMessage `json:"default,omitempty"`
	// Validations are the error messages of its validations.
	Validations []string `json:"validations,omitempty"`
}

// TemplateResource is a resource or action block, before it is expanded.
type TemplateResource struct {
	Address     string   `json:"address"` // executor.name, or action.name
	Executor    string   `json:"executor"`
	Name        string   `json:"name"`
	Group       string   `json:"group,omitempty"`
	Description string   `json:"description,omitempty"`
	DependsOn   []string `json:"depends_on"`
	// Repeat is how many nodes the block becomes: one each for_each key, one each count, or empty for exactly one.
	Repeat string `json:"repeat,omitempty" jsonschema:"enum=for_each,enum=count"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
}

// TemplateOutput is an output of environments made from the template.
type TemplateOutput struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive"`
}

// TemplateEntrypoint is an entrypoint of environments made from the template; URL is the text of its expression.
type TemplateEntrypoint struct {
	Name        string `json:"name"`
	URL         string `json:"url,omitempty"`
	Description string `json:"description,omitempty"`
}

// TemplateFile is a file of the template's folder. Content is given for its *.hcl files.
type TemplateFile struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"` // bytes
	Content string `json:"content,omitempty"`
}

// TemplateImpact is a page of what a template would change in the live environments that are made from one of its name.
type TemplateImpact struct {
	// Template that was looked at, edited or of the catalogue.
	Template environment.Template `json:"template"`
	Items    []environment.Effect `json:"items"`
	Next     string               `json:"next,omitempty"`
	// NotLookedAt is how many live environments are left; "cursor" with Next goes on there.
	NotLookedAt int `json:"not_looked_at"`
}
