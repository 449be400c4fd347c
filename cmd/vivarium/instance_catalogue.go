package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/vivarium-env/vivarium/pkg/template"
)

// openCatalogue opens the folder, or the checkout of a git repository in the data folder.
func (s *instance) openCatalogue(ctx context.Context) (err error) {
	dir := s.settings.Catalogue
	url, ref, git := template.SplitGitURL(dir)
	switch {
	case git:
		dir = s.path("catalogue")
		s.log.Info("fetching the catalogue", "from", withoutSecrets(url), "ref", ref)
		if err := template.FetchGit(ctx, url, ref, dir); err != nil {
			return err
		}
	case s.settings.IsDefault("catalogue"):
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("there is no folder \"templates\" here: the catalogue is empty; say where templates are with --catalogue")
			dir = s.path("templates")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
	}
	s.catalogue, err = template.OpenCatalogue(dir, s.kit.kinds, s.log.With("part", "catalogue"))
	return err
}
