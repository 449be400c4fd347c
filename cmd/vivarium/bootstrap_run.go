package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	shipped "github.com/vivarium-env/vivarium/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// raising is one run of a bootstrap.
type raising struct {
	*cli
	f      bootstrapFlags
	folder *bootstrap.Folder
	keys   *keyring

	repositories []bootstrap.Repository
	definitions  []bootstrap.Definition
	// catalogue has the templates of the further environments.
	catalogue *template.Catalogue
	// meta is the catalogue that has environment zero's template, and further the address of that for all others.
	meta, further string
	retried       bool
	resumed       bool             // environment zero was begun by an earlier run
	kube          *cluster.Cluster // nil on a machine
	pending       bool             // its namespace is not there yet, and stays so, as this is a plan
	busRoots      string           // of the service's bus, in PEM
	image         *serviceImage    // nil where none is made
}

func (c *cli) bootstrap(ctx context.Context, f bootstrapFlags) (err error) {
	x := &raising{cli: c, f: f}
	defer func() { x.close() }()
	if f.plan {
		return x.preview(ctx)
	}
	defer func() { err = x.again(err) }()
	site := f.site()
	if f.destroy {
		if _, err := os.Stat(f.Work); err != nil {
			return usage("there is nothing to destroy: %s is no work folder of a bootstrap", f.Work)
		}
		site = bootstrap.Site{}
	}
	if x.folder, err = bootstrap.OpenFolder(f.Work, site); err != nil {
		return err
	}
	x.f.Location = x.folder.Progress().Site.Location
	if err := x.possible(ctx); err != nil {
		return err
	}
	l, err := takeLock(ctx, f.Work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if x.keys, err = openKeyring(f.Keys, x.folder); err != nil {
		return err
	}
	defer x.keys.show(c.out)
	if f.destroy {
		return x.destroy(ctx)
	}
	if x.folder.Progress().Cluster == "" {
		if err := x.folder.Note(func(p *bootstrap.Progress) { p.Cluster = x.cluster() }); err != nil {
			return err
		}
	}
	return x.raise(ctx)
}

// raise is the whole sequence. Each part finds what an earlier run has done of it.
func (x *raising) raise(ctx context.Context) error {
	if err := x.prepare(ctx, x.folder.Path()); err != nil {
		return err
	}
	if err := x.packs(ctx); err != nil {
		return err
	}
	if err := x.claim(ctx); err != nil {
		return err
	}
	if x.folder.Progress().HandedOver.IsZero() {
		found, err := x.environmentZero(ctx)
		if err != nil {
			return err
		}
		if err := x.handOver(ctx, found); err != nil {
			return err
		}
	}
	return x.goOn(ctx)
}

func (x *raising) say(format string, args ...any) { _, _ = fmt.Fprintf(x.out, format+"\n", args...) }

func (x *raising) title(text string) { x.say("\n%s", x.style(x.out).bold(text)) }

// prepare fetches and reads everything, and compiles it, below a folder; nothing else is changed.
func (x *raising) prepare(ctx context.Context, dir string) (err error) {
	source := bootstrap.Source{Organisation: x.f.Organisation, Base: x.f.GitBase, Prefix: x.f.Prefix,
		Token: x.variables["GITHUB_TOKEN"], API: strings.TrimRight(x.variables["GITHUB_API_URL"], "/")}
	if x.repositories, err = source.Find(ctx); err != nil {
		return err
	}
	if err := bootstrap.Fetch(ctx, x.repositories, filepath.Join(dir, "repositories")); err != nil {
		return err
	}
	x.showRepositories()
	kinds, err := x.kinds(ctx)
	if err != nil {
		return err
	}
	x.meta = filepath.Join(dir, "shipped")
	if err := writeShipped(x.meta, "."); err != nil {
		return err
	}
	x.further = x.meta
	if x.catalogue, err = bootstrap.Check(ctx, bootstrap.Repository{Name: "the shipped templates", Dir: x.meta}, kinds); err != nil {
		return err
	}
	if r := bootstrap.Of(x.repositories, bootstrap.Templates); r != nil {
		if err := x.theirs(ctx, *r, kinds); err != nil {
			return err
		}
	}
	return x.define(ctx)
}

// theirs takes the catalogue of a repository, and its template "meta" where it has one; where it has none, the one that comes with this program is put
// beside, so that the service finds it when it is to be updated. The service reads the checkout: a later run brings it up to date.
func (x *raising) theirs(ctx context.Context, r bootstrap.Repository, kinds template.Kinds) (err error) {
	if x.catalogue, err = bootstrap.Check(ctx, r, kinds); err != nil {
		return err
	}
	_, err = x.catalogue.Get(ctx, bootstrap.Environment)
	if fault.Is(err, fault.UnknownTemplate) {
		if err = writeShipped(filepath.Join(r.Dir, shippedFolder), bootstrap.Environment); err == nil {
			_, err = x.catalogue.Get(ctx, bootstrap.Environment)
		}
	}
	x.meta, x.further = r.Dir, r.Dir
	return err
}

// shippedFolder in a checkout is the template that comes with this program; no repository has a folder of the name by chance.
const shippedFolder = "vivarium-shipped-" + bootstrap.Environment

// define reads the environments that are to be made, and sees that there is a template for each.
func (x *raising) define(ctx context.Context) (err error) {
	r := bootstrap.Of(x.repositories, bootstrap.Environments)
	if r == nil {
		return nil
	}
	if x.definitions, err = bootstrap.ReadDefinitions(*r); err != nil {
		return err
	}
	for _, d := range x.definitions {
		for _, name := range d.Create.Templates {
			if _, err := x.catalogue.Get(ctx, name); err != nil {
				return fmt.Errorf("the environment %q, which %s at %s defines: %w", d.Name, r.Name, r.Commit, err)
			}
		}
	}
	return nil
}

func (x *raising) showRepositories() {
	if len(x.repositories) == 0 {
		x.say("No configuration repositories: what comes with this program is raised, and no further environment.")
		return
	}
	x.title("Repositories")
	for _, r := range x.repositories {
		if r.Role == "" {
			x.say("  %-30s  left aside: its name ends neither in %q nor in %q", r.Name, bootstrap.Templates, bootstrap.Environments)
			continue
		}
		x.say("  %-30s  %s", r.Name, r.Commit)
	}
}

// writeShipped writes a folder of the templates that come with this program, "." for all, as they are in this version of it.
func writeShipped(dir, folder string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	templates, err := fs.Sub(shipped.Templates, path.Join("templates", folder))
	if err == nil {
		err = os.CopyFS(dir, templates)
	}
	if err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the templates can't be written into the work folder: make room there, and run this again")
	}
	return nil
}
