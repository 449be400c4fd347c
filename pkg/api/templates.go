package api

import (
	"encoding/base64"
	"slices"
	"sort"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func (s *Server) templates(k *call) error {
	versions, err := s.options.Templates.List(k.context())
	if err != nil {
		return err
	}
	all := summaries(versions)
	from, err := k.behind()
	if err != nil {
		return err
	}
	start := sort.Search(len(all), func(i int) bool { return all[i].Name > from })
	page, next := all[start:], ""
	if limit := int(k.number("limit")); len(page) > limit { //nolint:gosec // at most mostItems
		page = page[:limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(page[limit-1].Name))
	}
	return answerList(k, page, "cursor", next)
}

// behind is the name that the page before ended with.
func (k *call) behind() (string, error) {
	name, err := base64.RawURLEncoding.DecodeString(k.text("cursor"))
	if err != nil {
		return "", store.ErrCursor
	}
	return string(name), nil
}

// summaries are the templates in the order of their names, with their versions as the source orders them.
func summaries(versions []TemplateVersion) []wire.TemplateSummary {
	at := map[string]int{}
	all := []wire.TemplateSummary{}
	for _, v := range versions {
		i, known := at[v.Name]
		if !known {
			i, at[v.Name] = len(all), len(all)
			all = append(all, wire.TemplateSummary{Name: v.Name, Description: v.Description, Tags: filled(v.Tags), Newest: v.Version})
		}
		all[i].Versions = append(all[i].Versions, v.Version)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func (s *Server) templateVersions(k *call) error {
	versions, err := s.options.Templates.List(k.context())
	if err != nil {
		return err
	}
	name := k.path("name")
	mine := slices.DeleteFunc(slices.Clone(versions), func(v TemplateVersion) bool { return v.Name != name })
	if len(mine) == 0 {
		return fault.New(fault.Reject, fault.UnknownTemplate, "the catalogue has no template %q", clip(name))
	}
	for i := range mine {
		mine[i].Tags = filled(mine[i].Tags)
	}
	return k.answer(wire.TemplateVersions{Name: name, Versions: mine})
}

func (s *Server) template(k *call) error {
	t, err := s.options.Templates.Get(k.context(), k.path("name")+"@"+k.path("version"))
	if err != nil {
		return err
	}
	t.Tags = filled(t.Tags)
	t.Parameters, t.Groups = filled(t.Parameters), filled(t.Groups)
	t.Resources, t.Actions = blocks(t.Resources), blocks(t.Actions)
	t.Outputs, t.Entrypoints, t.Files = filled(t.Outputs), filled(t.Entrypoints), filled(t.Files)
	return k.answer(t)
}

// filled is never nil: clients read lists, not null.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func blocks(list []TemplateResource) []TemplateResource {
	list = slices.Clone(filled(list))
	for i := range list {
		list[i].DependsOn = filled(list[i].DependsOn)
	}
	return list
}
