package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// read takes a bundle apart and believes nothing of it: names, kinds, sizes and the hash are checked.
func read(b *event.Bundle) ([]file, error) {
	if err := checkHash(b); err != nil {
		return nil, err
	}
	files, err := open(b.Data)
	if err == nil && digest(files) != b.Hash {
		return nil, bad(nil, "its content is not what its hash says")
	}
	return files, err
}

// Take makes a bundle of packed bytes that come without a hash. Names, kinds and sizes are checked; an error is a *fault.Error.
func Take(data []byte) (*event.Bundle, error) {
	files, err := open(data)
	if err != nil {
		return nil, err
	}
	return &event.Bundle{Hash: digest(files), Data: data}, nil
}

func open(data []byte) ([]file, error) {
	if len(data) > MaxPacked {
		return nil, bad(nil, "it has %d bytes, more than %d", len(data), MaxPacked)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, bad(err, "it is not a gzipped tar")
	}
	files, err := readTar(tar.NewReader(io.LimitReader(zip, 2*MaxUnpacked)))
	if err != nil {
		return nil, err
	}
	sortFiles(files)
	return files, checkNames(files)
}

// checkHash looks at the form alone: the hash becomes a folder's name.
func checkHash(b *event.Bundle) error {
	if b == nil {
		return bad(nil, "there is none")
	}
	raw, err := hex.DecodeString(b.Hash)
	if err != nil || len(raw) != 32 || strings.ToLower(b.Hash) != b.Hash {
		return bad(nil, "its hash is not a SHA-256 in lower-case hexadecimal")
	}
	return nil
}

func readTar(archive *tar.Reader) ([]file, error) {
	var files []file
	room := int64(MaxUnpacked)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, bad(err, "it is not a gzipped tar")
		}
		f, err := readFile(archive, header, &room)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
}

// readFile counts what comes out, not what the header promises: a sparse file takes no room in a tar.
func readFile(archive *tar.Reader, header *tar.Header, room *int64) (file, error) {
	if header.Typeflag != tar.TypeReg {
		return file{}, bad(nil, "%q is a link or another special file", header.Name)
	}
	*room -= overhead + int64(len(header.Name))
	data, err := io.ReadAll(io.LimitReader(archive, max(*room, 0)+1))
	if err != nil {
		return file{}, bad(err, "%q is cut short", header.Name)
	}
	if *room -= int64(len(data)); *room < 0 {
		return file{}, bad(nil, "it unpacks to more than %d bytes", MaxUnpacked)
	}
	return file{name: header.Name, exec: header.Mode&0o111 != 0, data: data}, nil
}

func checkNames(files []file) error {
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if !fs.ValidPath(f.name) || f.name == "." || strings.ContainsAny(f.name, "\\:\x00") {
			return bad(nil, "%q does not name a file below its folder", f.name)
		}
		if seen[f.name] {
			return bad(nil, "%q is there twice", f.name)
		}
		seen[f.name] = true
	}
	for _, f := range files {
		for p := path.Dir(f.name); p != "."; p = path.Dir(p) {
			if seen[p] {
				return bad(nil, "%q is a file and a folder", p)
			}
		}
	}
	return nil
}

func sortFiles(files []file) {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
}

// bad is the answer to a bundle that can't be used; sending it again changes nothing.
func bad(cause error, format string, args ...any) error {
	e := fault.New(fault.Reject, fault.Invalid, "the bundle can't be used: "+format, args...)
	if cause == nil {
		return e
	}
	return fault.Wrap(cause, e.Disposition, e.Code, "%s", e.Message)
}
