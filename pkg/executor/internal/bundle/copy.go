package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Hash is the SHA-256, in hex, of the names, modes and contents of a folder's files.
func Hash(dir string) (string, error) {
	sum := sha256.New()
	err := walk(dir, func(rel string, info fs.FileInfo, open func() (*os.File, error)) error {
		fmt.Fprintf(sum, "%q %t %d\n", rel, info.Mode()&0o111 != 0, info.Size())
		return pour(sum, open)
	}, nil)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// Copy copies the files of src below dst, which is made; files keep their executable bit and can be written to by
// their owner. A symbolic link is copied as what it leads to, and is an error when that is outside of src.
func Copy(dst, src string) error {
	file := func(rel string, info fs.FileInfo, open func() (*os.File, error)) error {
		mode := fs.FileMode(0o600) | info.Mode()&0o100
		out, err := os.OpenFile(filepath.Join(dst, rel), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		if err := pour(out, open); err != nil {
			_ = out.Close() // the copy is given up anyway
			return err
		}
		return out.Close()
	}
	folder := func(rel string) error { return os.MkdirAll(filepath.Join(dst, rel), 0o700) }
	return walk(src, file, folder)
}

// walk visits the regular files below dir in the order of their names, and its folders before what is in them.
func walk(dir string, file func(string, fs.FileInfo, func() (*os.File, error)) error, folder func(string) error) error {
	root, err := os.OpenRoot(dir) // follows no link that leads out of dir
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // only read from
	return filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if folder == nil {
				return nil
			}
			return folder(rel)
		}
		info, err := root.Stat(rel)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", rel)
		}
		return file(rel, info, func() (*os.File, error) { return root.Open(rel) })
	})
}

func pour(to io.Writer, open func() (*os.File, error)) error {
	in, err := open()
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read from
	_, err = io.Copy(to, in)
	return err
}
