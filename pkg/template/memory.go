package template

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"sort"
	"time"
)

// snapshot is a folder in memory. It is immutable once sealed, and then safe for concurrent use.
type snapshot struct{ files map[string]*entry }

type entry struct {
	name     string
	mode     fs.FileMode
	data     []byte
	children []fs.DirEntry
}

func newSnapshot() *snapshot { return &snapshot{files: map[string]*entry{}} }

// seal adds the folders that the files lie in.
func (s *snapshot) seal() {
	folders := map[string]*entry{".": {name: ".", mode: fs.ModeDir | 0o755}}
	for name, e := range s.files {
		for child, at := e, name; ; {
			parent := path.Dir(at)
			dir, known := folders[parent]
			if !known {
				dir = &entry{name: path.Base(parent), mode: fs.ModeDir | 0o755}
				folders[parent] = dir
			}
			dir.children = append(dir.children, fs.FileInfoToDirEntry(child))
			if known {
				break
			}
			child, at = dir, parent
		}
	}
	for name, dir := range folders {
		sort.Slice(dir.children, func(i, j int) bool { return dir.children[i].Name() < dir.children[j].Name() })
		s.files[name] = dir
	}
}

// Open opens a file or folder for reading.
func (s *snapshot) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	e, ok := s.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &opened{Reader: bytes.NewReader(e.data), entry: e}, nil
}

// The methods of fs.FileInfo.

func (e *entry) Name() string       { return e.name }
func (e *entry) Size() int64        { return int64(len(e.data)) }
func (e *entry) Mode() fs.FileMode  { return e.mode }
func (e *entry) ModTime() time.Time { return time.Time{} }
func (e *entry) IsDir() bool        { return e.mode.IsDir() }
func (e *entry) Sys() any           { return nil }

type opened struct {
	*bytes.Reader
	entry *entry
	next  int
}

func (o *opened) Stat() (fs.FileInfo, error) { return o.entry, nil }
func (o *opened) Close() error               { return nil }

// ReadDir lists a folder, n entries at a time when n is positive.
func (o *opened) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := o.entry.children[o.next:]
	if !o.entry.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: o.entry.name, Err: fs.ErrInvalid}
	}
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 && len(rest) > n {
		rest = rest[:n]
	}
	o.next += len(rest)
	return append([]fs.DirEntry(nil), rest...), nil
}

// Read fails for folders, as it does on disk.
func (o *opened) Read(p []byte) (int, error) {
	if o.entry.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: o.entry.name, Err: fs.ErrInvalid}
	}
	return o.Reader.Read(p)
}
