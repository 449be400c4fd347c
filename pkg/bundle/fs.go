package bundle

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// FS is a read-only view of a bundle's files in memory, checked as by Unpack. It is safe for concurrent use.
func FS(b *event.Bundle) (fs.FS, error) {
	files, err := read(b)
	if err != nil {
		return nil, err
	}
	m := memory{".": &entry{name: ".", folder: true}}
	for _, f := range files {
		m.add(&entry{name: f.name, mode: f.mode(), data: f.data})
	}
	for _, e := range m {
		slices.SortFunc(e.children, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return m, nil
}

// memory holds files and folders by their names; it does not change once made.
type memory map[string]*entry

type entry struct {
	name     string
	mode     fs.FileMode
	data     []byte
	folder   bool
	children []fs.DirEntry
}

func (m memory) add(e *entry) {
	m[e.name] = e
	parent := path.Dir(e.name)
	if m[parent] == nil {
		m.add(&entry{name: parent, folder: true})
	}
	m[parent].children = append(m[parent].children, fs.FileInfoToDirEntry(e))
}

func (m memory) find(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	e := m[name]
	if e == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return e, nil
}

// Open opens a file or folder; a file can also be sought in.
func (m memory) Open(name string) (fs.File, error) {
	e, err := m.find("open", name)
	if err != nil {
		return nil, err
	}
	if e.folder {
		return &openFolder{entry: e}, nil
	}
	return &openFile{entry: e, Reader: bytes.NewReader(e.data)}, nil
}

// ReadFile returns a copy, so that nobody can change what others read.
func (m memory) ReadFile(name string) ([]byte, error) {
	e, err := m.find("read", name)
	if err != nil {
		return nil, err
	}
	if e.folder {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return append([]byte{}, e.data...), nil
}

// The entry is its own FileInfo.
func (e *entry) Name() string       { return path.Base(e.name) }
func (e *entry) Size() int64        { return int64(len(e.data)) }
func (e *entry) ModTime() time.Time { return time.Time{} }
func (e *entry) IsDir() bool        { return e.folder }
func (e *entry) Sys() any           { return nil }
func (e *entry) Mode() fs.FileMode {
	if e.folder {
		return fs.ModeDir | 0o755
	}
	return e.mode
}

type openFile struct {
	*bytes.Reader
	entry *entry
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

type openFolder struct {
	entry *entry
	read  int
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFolder) Close() error               { return nil }
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.entry.name, Err: fs.ErrInvalid}
}

// ReadDir is that of fs.ReadDirFile: n > 0 reads on from where the last call ended.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	left := f.entry.children[f.read:]
	if n > 0 && len(left) == 0 {
		return nil, io.EOF
	}
	if n > 0 && n < len(left) {
		left = left[:n]
	}
	f.read += len(left)
	return slices.Clone(left), nil
}
