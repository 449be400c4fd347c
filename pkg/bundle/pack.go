package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// MaxPacked bounds the packed bytes of a bundle: it travels in a message.
const MaxPacked = 4 << 20

// MaxUnpacked bounds the bytes of a bundle's tar, so that a small message can't fill a runner.
const MaxUnpacked = 64 << 20

// overhead is what a file costs in a tar besides its content.
const overhead = 512

// file is one regular file of a bundle.
type file struct {
	name string // slash-separated, below the bundle's folder
	exec bool
	data []byte
}

func (f file) mode() fs.FileMode {
	if f.exec {
		return 0o755
	}
	return 0o644
}

// lockFile is where Terraform and OpenTofu pin the versions of providers.
const lockFile = ".terraform.lock.hcl"

// Hidden tells whether files and folders of a name stay behind: those that begin with a dot, but for Terraform's lock
// file, without which a module would be applied with other providers than it was tried with.
func Hidden(name string) bool { return strings.HasPrefix(name, ".") && name != lockFile }

// Pack packs the regular files below dir. Files and folders whose name is Hidden are left out, and so are empty folders; a symbolic link or anything else that is not a file is an error, and so is more than MaxPacked.
// Every error is a *fault.Error that names the path.
func Pack(fsys fs.FS, dir string) (*event.Bundle, error) {
	files, err := collect(fsys, dir)
	if err != nil {
		return nil, err
	}
	data := compress(files)
	if len(data) > MaxPacked {
		return nil, fault.New(fault.Reject, fault.Invalid,
			"the files below %q have %d bytes when packed, more than the %d that fit into a bundle; move large files elsewhere",
			dir, len(data), MaxPacked)
	}
	return &event.Bundle{Hash: digest(files), Data: data}, nil
}

// Hash is the hash of the Bundle that Pack would make, and fails as Pack does, but for the bound on packed bytes.
func Hash(fsys fs.FS, dir string) (string, error) {
	files, err := collect(fsys, dir)
	if err != nil {
		return "", err
	}
	return digest(files), nil
}

func collect(fsys fs.FS, dir string) ([]file, error) {
	if err := checkFolder(fsys, dir); err != nil {
		return nil, err
	}
	var files []file
	room := int64(MaxUnpacked)
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return unreadable(name, err)
		case name == dir:
			return nil
		case Hidden(d.Name()) && d.IsDir():
			return fs.SkipDir
		case Hidden(d.Name()) || d.IsDir():
			return nil
		case d.Type() != 0:
			return irregular(name)
		}
		f, err := load(fsys, name, &room)
		f.name = strings.TrimPrefix(name, dir+"/")
		files = append(files, f)
		return err
	})
	// WalkDir goes through each folder in order, which is not the order of whole names: "a.b" sorts before "a/b".
	sortFiles(files)
	return files, err
}

// checkFolder looks at every part of the path, for a link in it would lead out of what the caller means by fsys.
func checkFolder(fsys fs.FS, dir string) error {
	if !fs.ValidPath(dir) {
		return fault.New(fault.Reject, fault.Invalid, "%q is not a folder's path: it has to be relative, slash-separated and without \"..\"", dir)
	}
	for p := dir; p != "."; p = path.Dir(p) {
		info, err := fs.Lstat(fsys, p)
		switch {
		case err != nil:
			return unreadable(p, err)
		case info.Mode().Type() == fs.ModeSymlink:
			return irregular(p)
		case !info.IsDir():
			return fault.New(fault.Reject, fault.Invalid, "%q is not a folder", p)
		}
	}
	return nil
}

func load(fsys fs.FS, name string, room *int64) (file, error) {
	in, err := fsys.Open(name)
	if err != nil {
		return file{}, unreadable(name, err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return file{}, unreadable(name, err)
	}
	*room -= overhead + int64(len(name))
	data, err := io.ReadAll(io.LimitReader(in, max(*room, 0)+1))
	if err != nil {
		return file{}, unreadable(name, err)
	}
	if *room -= int64(len(data)); *room < 0 {
		return file{}, fault.New(fault.Reject, fault.Invalid,
			"the files up to %q have more than the %d bytes that a bundle may have; move large files elsewhere", name, MaxUnpacked)
	}
	return file{exec: info.Mode()&0o111 != 0, data: data}, nil
}

func unreadable(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(err, fault.Reject, fault.NotFound, "there is no %q", name)
	}
	return fault.Wrap(err, fault.Reject, fault.Unreadable, "%q can't be read", name)
}

func irregular(name string) error {
	return fault.New(fault.Reject, fault.Invalid,
		"%q is a symbolic link or another special file; a bundle has folders and regular files only", name)
}

// compress writes to memory, which does not fail, and of headers that a tar can always express.
func compress(files []file) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, f := range files {
		must(archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: int64(f.mode()), Size: int64(len(f.data)),
		}))
		_, err := archive.Write(f.data)
		must(err)
	}
	must(archive.Close())
	must(zip.Close())
	return out.Bytes()
}

func must(err error) {
	if err != nil {
		panic("bundle: writing to memory failed: " + err.Error())
	}
}

// digest puts lengths before names and contents, so that no two sets of files look the same to it.
func digest(files []file) string {
	sum := sha256.New()
	sized := func(data []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(data)))
		sum.Write(n[:])
		sum.Write(data)
	}
	for _, f := range files {
		sized([]byte(f.name))
		sized([]byte(f.mode().String()))
		sized(f.data)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
