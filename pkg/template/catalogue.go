package template

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Catalogue finds templates in a folder: every sub-folder with a template.hcl is one, and what lies below such a
// folder belongs to it. It notices what changes on disk and compiles only that. Safe for concurrent use.
type Catalogue struct {
	dir   string
	kinds Kinds
	log   *slog.Logger

	mu      sync.Mutex
	folders map[string]*folder
	git     checkout
}

// Listing is one folder of a catalogue: its template, or why it has none.
type Listing struct {
	// Folder is relative to the catalogue.
	Folder string
	// Name and Version are known for a faulty template too, if they could be read; the name is else the folder's.
	Name, Version string
	Template      *Template    // nil when Err is set
	Err           *fault.Error // its diagnostics have paths relative to the catalogue
}

// OpenCatalogue looks whether there is such a folder; templates are read when they are asked for.
func OpenCatalogue(dir string, kinds Kinds, log *slog.Logger) (*Catalogue, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the catalogue %q can't be found", dir)
	}
	info, err := os.Stat(full)
	if err != nil || !info.IsDir() {
		return nil, fault.Wrap(err, fault.Reject, fault.NotFound, "the catalogue %q is not a folder that can be read", dir)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Catalogue{dir: full, kinds: kinds, log: log, folders: map[string]*folder{}}, nil
}

// Dir is the catalogue's folder, as an absolute path.
func (c *Catalogue) Dir() string { return c.dir }

// List gives every template and every faulty one, sorted by name and then from the newest version to the oldest.
func (c *Catalogue) List(ctx context.Context) ([]Listing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refresh(ctx); err != nil {
		return nil, err
	}
	list := make([]Listing, 0, len(c.folders))
	for _, f := range c.folders {
		list = append(list, f.listing)
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		switch {
		case a.Name != b.Name:
			return a.Name < b.Name
		case a.Version != b.Version:
			return newer(a.Version, b.Version)
		}
		return a.Folder < b.Folder
	})
	return twice(list), nil
}

// twice turns folders that claim the same name and version into errors: nobody could tell which is meant.
func twice(list []Listing) []Listing {
	folders := map[string][]string{}
	for _, l := range list {
		if l.Version != "" {
			id := l.Name + "@" + l.Version
			folders[id] = append(folders[id], l.Folder)
		}
	}
	for i, l := range list {
		if same := folders[l.Name+"@"+l.Version]; len(same) > 1 {
			list[i].Template = nil
			list[i].Err = fault.New(fault.Reject, fault.InvalidTemplate, "template %s@%s is there more than once: in the folders %s",
				l.Name, l.Version, strings.Join(same, ", "))
		}
	}
	return list
}

// newer compares semantic versions; what is none is older than all.
func newer(a, b string) bool {
	va, errA := semver.StrictNewVersion(a)
	vb, errB := semver.StrictNewVersion(b)
	switch {
	case errA != nil || errB != nil:
		return errA == nil && errB != nil || errA != nil && errB != nil && a > b
	case va.Equal(vb):
		return a > b // they differ in build metadata, which has no order of its own
	}
	return va.GreaterThan(vb)
}

// Get finds "name" (its newest version) or "name@version". The error is a *fault.Error: UnknownTemplate says what
// there is instead, InvalidTemplate carries the mistakes of a template that does not compile.
func (c *Catalogue) Get(ctx context.Context, address string) (*Template, error) {
	name, version, exact := strings.Cut(address, "@")
	list, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	var names, versions []string
	for _, l := range list {
		names = append(names, l.Name)
		if l.Name != name {
			continue
		}
		if !exact || l.Version == version {
			if l.Err != nil {
				return nil, l.Err
			}
			return l.Template, nil
		}
		versions = append(versions, l.Version)
	}
	if len(versions) > 0 {
		return nil, fault.New(fault.Reject, fault.UnknownTemplate, "there is no version %q of template %q.%s", version, name, listing("versions", versions))
	}
	return nil, fault.New(fault.Reject, fault.UnknownTemplate, "there is no template %q.%s%s", name, suggestion(name, names), listing("templates", distinct(names)))
}

func distinct(list []string) []string {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return keysOf(set)
}
