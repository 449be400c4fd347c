package template

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/bundle"
)

// Bounds of a template's folder: all of it is held in memory, so that a template stays what it was when compiled.
const (
	maxFiles = 20_000
	maxBytes = 64 << 20
)

// reader copies a folder into a snapshot and collects what is wrong with it.
type reader struct {
	from  fs.FS
	root  *os.Root // the same folder on disk, nil when it is not on one
	into  *snapshot
	room  int64
	diags hcl.Diagnostics
}

// readFolder reads everything below a template's folder, less hidden files. Links are followed within the folder,
// as the operating system would; one that leads out is a mistake of the template.
func readFolder(fsys fs.FS, dir string) (*snapshot, hcl.Diagnostics) {
	r := &reader{from: fsys, into: newSnapshot(), room: maxBytes}
	if dir != "" {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return r.into, hcl.Diagnostics{folderError("", "the template's folder can't be read", err)}
		}
		defer root.Close()
		r.root, r.from = root, root.FS()
	}
	err := fs.WalkDir(r.from, ".", r.visit)
	if err != nil {
		r.diags = append(r.diags, folderError("", "the template's folder can't be read", err))
	}
	r.into.seal()
	return r.into, r.diags
}

func (r *reader) visit(name string, d fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case name == ".":
		return nil
	case bundle.Hidden(d.Name()) && d.IsDir():
		return fs.SkipDir
	case bundle.Hidden(d.Name()) || d.IsDir():
		return nil
	case d.Type()&fs.ModeSymlink != 0:
		r.link(name)
		return nil
	case !d.Type().IsRegular():
		r.refuse(name, "is neither a file nor a folder")
		return nil
	}
	return r.file(name)
}

func (r *reader) refuse(name, why string) {
	r.diags = append(r.diags, folderError(name, "Unusable file", fmt.Errorf("%s %s", name, why)))
}

// link takes the file behind a link as if it stood there. os.Root refuses to follow what leads out of the folder.
func (r *reader) link(name string) {
	if r.root == nil {
		r.refuse(name, "is a link; a template that is not read from disk can't have any")
		return
	}
	info, err := r.root.Stat(name)
	switch {
	case err != nil:
		r.refuse(name, "is a link that leaves the template's folder, or leads nowhere; only files below the template's folder can be read")
	case info.IsDir():
		r.refuse(name, "is a link to a folder; put the files there, or link them one by one")
	case !info.Mode().IsRegular():
		r.refuse(name, "is a link to something that is not a file")
	default:
		if err := r.file(name); err != nil {
			r.refuse(name, "can't be read")
		}
	}
}

func (r *reader) file(name string) error {
	in, err := r.from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(in, r.room+1))
	if err != nil {
		return err
	}
	if r.room -= int64(len(data)); r.room < 0 || len(r.into.files) >= maxFiles {
		r.refuse(name, fmt.Sprintf("is too much: a template's folder holds at most %d files and %d MiB", maxFiles, maxBytes>>20))
		return fs.SkipAll
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	r.into.files[name] = &entry{name: path.Base(name), mode: mode, data: data}
	return nil
}

func folderError(name, summary string, err error) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: err.Error() + "."}
	if name != "" {
		d.Subject = &hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	}
	return d
}

// hashOf is the hash that a template compiled from this folder would have.
func hashOf(dir string) (string, error) {
	files, diags := readFolder(nil, dir)
	if diags.HasErrors() {
		return "", diags
	}
	return bundle.Hash(files, ".")
}
