package bootstrap

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Check opens a catalogue and compiles every template of it, before anything is changed. r is where the catalogue came from. The error has
// a diagnostic for each mistake, with repository, commit, file and line.
func Check(ctx context.Context, r Repository, kinds template.Kinds) (*template.Catalogue, error) {
	c, err := template.OpenCatalogue(r.Dir, kinds, nil)
	if err != nil {
		return nil, err
	}
	list, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	var wrong []fault.Diagnostic
	for _, l := range list {
		if l.Err == nil {
			continue
		}
		of := l.Err.Diagnostics
		if len(of) == 0 {
			of = []fault.Diagnostic{{Severity: "error", Summary: l.Err.Message, File: l.Folder}}
		}
		for _, d := range of {
			d.File = r.at(d.File)
			wrong = append(wrong, d)
		}
	}
	if len(wrong) > 0 {
		return nil, fault.New(fault.Reject, fault.InvalidTemplate, "templates of %s at %s do not compile; nothing was changed", r.Name, short(r.Commit)).With(wrong...)
	}
	return c, nil
}
