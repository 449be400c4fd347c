package bundle

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// Has tells whether what a path is about is at that place of a folder, "." being the folder itself.
type Has func(fsys fs.FS, at string) bool

// IsFile and IsDir are the plain forms of Has.
func IsFile(fsys fs.FS, at string) bool {
	info, err := fs.Stat(fsys, at)
	return err == nil && info.Mode().IsRegular()
}

// IsDir tells whether at is a folder.
func IsDir(fsys fs.FS, at string) bool {
	info, err := fs.Stat(fsys, at)
	return err == nil && info.IsDir()
}

// Clean makes a template's relative path ("./modules/network") one that fs.FS takes ("modules/network"). The error
// ends a sentence that begins with the path.
func Clean(p string) (string, error) {
	clean := path.Clean(p)
	switch {
	case p == "":
		return "", fmt.Errorf("is empty")
	case path.IsAbs(p) || strings.Contains(p, `\`) || filepath.VolumeName(p) != "":
		return "", fmt.Errorf("is not a relative path with slashes")
	case !fs.ValidPath(clean):
		return "", fmt.Errorf("leaves the template's folder")
	}
	return clean, nil
}

// Inside makes sure that at, below dir, does not lead out of dir by a symbolic link. A dir of "" (a template that is
// not on disk) has no links.
func Inside(dir, at string) error {
	if dir == "" {
		return nil
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("can't be found")
	}
	real, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(at)))
	if err != nil {
		return fmt.Errorf("can't be found")
	}
	if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("leaves the template's folder by a symbolic link")
	}
	return nil
}

// Common is the smallest folder that holds all of the folders.
func Common(folders ...string) string {
	if len(folders) == 0 {
		return "."
	}
	common := folders[0]
	for _, f := range folders[1:] {
		for common != "." && f != common && !strings.HasPrefix(f, common+"/") {
			common = path.Dir(common)
		}
	}
	return common
}

// Locate finds a cleaned path of the template in a bundle, which is one of the path's parents or the path itself.
func Locate(bundle fs.FS, p string, has Has) (at string, ok bool) {
	for rest := p; ; {
		if has(bundle, rest) {
			return rest, true
		}
		_, after, more := strings.Cut(rest, "/")
		if !more {
			break
		}
		rest = after
	}
	return ".", has(bundle, ".")
}

// Target is a path that has to be found again in the bundle.
type Target struct {
	Path string
	Has  Has
}

// Root widens folder until Locate finds every target where it really is: a module "a/b" with a module "b" inside
// would be taken for that one if only "a/b" travelled.
func Root(template fs.FS, folder string, targets ...Target) string {
	for folder != "." && !agrees(template, folder, targets) {
		folder = path.Dir(folder)
	}
	return folder
}

func agrees(template fs.FS, folder string, targets []Target) bool {
	sub, err := fs.Sub(template, folder)
	if err != nil {
		return false
	}
	for _, t := range targets {
		at, ok := Locate(sub, t.Path, t.Has)
		if !ok || path.Join(folder, at) != t.Path {
			return false
		}
	}
	return true
}
