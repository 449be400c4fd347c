package template

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// folder is what is remembered of one template's folder.
type folder struct {
	stamp   stamp
	listing Listing
	passing bool // what is wrong with it may pass by itself
}

// again tells whether a folder is to be compiled anew although it is the same.
func (f *folder) again() bool { return f.passing && time.Since(f.stamp.read) > triedAgain }

// stamp tells whether a folder has changed without reading its files.
type stamp struct {
	files  string    // names, sizes, modes and times
	newest time.Time // of the files' times
	read   time.Time // when the files were read
}

// settle is how old a change has to be before times alone are trusted: file systems keep coarse time, so a file may
// change again without its time doing so.
const settle = 2 * time.Second

func (s stamp) same(now stamp) bool { return s.files == now.files && s.read.Sub(s.newest) > settle }

// refresh brings what is remembered up to what is on disk.
func (c *Catalogue) refresh(ctx context.Context) error {
	found, err := c.scan(ctx)
	if err != nil {
		return err
	}
	gitChanged := c.git.refresh(ctx, c.dir)
	for name := range c.folders {
		if _, there := found[name]; !there {
			delete(c.folders, name)
		}
	}
	for name, now := range found {
		if err := ctx.Err(); err != nil {
			return fault.From(err)
		}
		known := c.folders[name]
		changed := known == nil || !known.stamp.same(now) || known.again()
		if changed {
			c.folders[name] = c.read(name, now, known)
		}
		if l := &c.folders[name].listing; l.Template != nil && (changed || gitChanged) {
			c.record(ctx, l)
		}
	}
	return nil
}

// scan finds the folders of templates, with their stamps.
func (c *Catalogue) scan(ctx context.Context) (map[string]stamp, error) {
	found := map[string]stamp{}
	root, err := filepath.EvalSymlinks(c.dir) // each time anew: what brings new versions may have the link lead elsewhere
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Unavailable, "the catalogue's folder can't be read")
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == root:
			return err
		case err != nil:
			c.log.Warn("a folder of the catalogue can't be read", "folder", name, "error", err)
			return fs.SkipDir
		case !d.IsDir():
			return nil
		case name != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		if info, err := os.Stat(filepath.Join(name, MainFile)); err != nil || info.IsDir() {
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		found[filepath.ToSlash(relative)] = stampOf(name)
		return fs.SkipDir
	})
	if err != nil && ctx.Err() != nil {
		return nil, fault.From(ctx.Err())
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Unavailable, "the catalogue's folder can't be read")
	}
	return found, nil
}

// stampOf looks at every file of a folder, less hidden ones. What can't be looked at is part of the stamp too.
func stampOf(dir string) stamp {
	s := stamp{read: time.Now()}
	var files strings.Builder
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			fmt.Fprintln(&files, name, err)
			return nil
		}
		if bundle.Hidden(d.Name()) && name != dir {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := os.Stat(name) // of what a link leads to: its content counts
		if err != nil {
			fmt.Fprintln(&files, name, err)
			return nil
		}
		if info.ModTime().After(s.newest) {
			s.newest = info.ModTime()
		}
		fmt.Fprintln(&files, name, info.Size(), info.Mode(), info.ModTime().UnixNano())
		return nil
	})
	s.files = files.String()
	return s
}

// read compiles a folder, unless its content is what was compiled already.
func (c *Catalogue) read(name string, now stamp, known *folder) *folder {
	dir := filepath.Join(c.dir, filepath.FromSlash(name))
	if known != nil && known.listing.Template != nil {
		if hash, err := hashOf(dir); err == nil && hash == known.listing.Template.own {
			return &folder{stamp: now, listing: known.listing}
		}
	}
	t, err := compile(nil, dir, c.kinds)
	l := Listing{Folder: name, Name: t.Name, Version: t.Version, Template: t}
	if l.Name == "" {
		l.Name = path.Base(name)
	}
	if err != nil {
		l.Template, l.Err = nil, relocate(err, name)
		c.log.Warn("a template of the catalogue does not compile", "folder", name, "error", l.Err.Message)
	} else {
		c.log.Debug("template compiled", "folder", name, "template", t.Name, "version", t.Version, "hash", t.Hash)
	}
	return &folder{stamp: now, listing: l, passing: t.passing}
}

// relocate makes the paths of diagnostics relative to the catalogue.
func relocate(err *fault.Error, name string) *fault.Error {
	moved := *err
	moved.Diagnostics = append([]fault.Diagnostic(nil), err.Diagnostics...)
	for i := range moved.Diagnostics {
		if file := &moved.Diagnostics[i].File; *file != "" {
			*file = path.Join(name, *file)
		}
	}
	return &moved
}

// record notes the commit that a template was read from.
func (c *Catalogue) record(ctx context.Context, l *Listing) {
	commit := c.git.commitOf(ctx, filepath.Join(c.dir, filepath.FromSlash(l.Folder)))
	if l.Template.Commit != commit {
		l.Template = l.Template.withCommit(commit)
	}
}
