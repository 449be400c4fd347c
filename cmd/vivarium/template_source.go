package main

import (
	"context"
	"io/fs"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// templateSource is the catalogue as the API shows it.
type templateSource struct{ catalogue *template.Catalogue }

// List is every version of every template, with what is wrong with those that can't be used.
func (s templateSource) List(ctx context.Context) ([]api.TemplateVersion, error) {
	listings, err := s.catalogue.List(ctx)
	if err != nil {
		return nil, err
	}
	versions := make([]api.TemplateVersion, 0, len(listings))
	for _, l := range listings {
		v := api.TemplateVersion{Tags: []string{}, Error: l.Err}
		v.Name, v.Version = l.Name, l.Version
		if l.Template != nil {
			v = versionOf(l.Template)
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// Get opens one.
func (s templateSource) Get(ctx context.Context, ref string) (api.Template, error) {
	t, err := s.catalogue.Get(ctx, ref)
	if err != nil {
		return api.Template{}, err
	}
	summary := t.Summary()
	out := api.Template{
		TemplateVersion: versionOf(t), Groups: t.Groups(),
		Resources: blocksOf(t, summary.Resources), Actions: blocksOf(t, summary.Actions),
		Outputs: []api.TemplateOutput{}, Entrypoints: entrypointsOf(t), Parameters: []api.TemplateParameter{},
	}
	for _, p := range t.Parameters() {
		shown := api.TemplateParameter{
			Name: p.Name, Type: p.Type, Description: p.Description, Required: p.Required, Sensitive: p.Sensitive,
		}
		if !p.Sensitive {
			shown.Default = p.Default
		}
		out.Parameters = append(out.Parameters, shown)
	}
	for _, o := range summary.Outputs {
		out.Outputs = append(out.Outputs, api.TemplateOutput{Name: o.Name, Description: o.Description, Sensitive: o.Sensitive})
	}
	out.Files, err = filesOf(t)
	return out, err
}

func versionOf(t *template.Template) api.TemplateVersion {
	return api.TemplateVersion{Template: t.Ref(), Description: t.Description, Tags: append([]string{}, t.Tags...)}
}

func blocksOf(t *template.Template, blocks []template.BlockSummary) []api.TemplateResource {
	places := map[string]hcl.Pos{}
	files := map[string]string{}
	for _, b := range t.Blocks() {
		places[b.Key()], files[b.Key()] = b.Range.Start, b.Range.Filename
	}
	list := make([]api.TemplateResource, 0, len(blocks))
	for _, b := range blocks {
		list = append(list, api.TemplateResource{
			Address: short(b.Address), Executor: b.Executor, Name: b.Name, Group: b.Group, Description: b.Description,
			DependsOn: []string{}, Repeat: b.Repeat, File: files[b.Address], Line: places[b.Address].Line,
		})
		for _, d := range b.DependsOn {
			last := &list[len(list)-1]
			last.DependsOn = append(last.DependsOn, short(d))
		}
	}
	return list
}

// short is a block's address as those of the environments' steps end.
func short(address string) string { return strings.TrimPrefix(address, "resource.") }

// entrypointsOf has the text of each URL's expression: what it becomes depends on the environment.
func entrypointsOf(t *template.Template) []api.TemplateEntrypoint {
	source := map[string]string{}
	for _, s := range t.Sources() {
		source[s.Name] = s.Content
	}
	list := []api.TemplateEntrypoint{}
	for _, e := range t.EntrypointBlocks() {
		r := e.URL.Range()
		list = append(list, api.TemplateEntrypoint{
			Name: e.Name, Description: e.Description, URL: string(r.SliceBytes([]byte(source[r.Filename]))),
		})
	}
	return list
}

// filesOf lists the template's folder, with the text of what was compiled.
func filesOf(t *template.Template) ([]api.TemplateFile, error) {
	content := map[string]string{}
	for _, source := range t.Sources() {
		content[source.Name] = source.Content
	}
	var files []api.TemplateFile
	err := fs.WalkDir(t.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, api.TemplateFile{Path: path, Size: info.Size(), Content: content[path]})
		return nil
	})
	return files, err
}
