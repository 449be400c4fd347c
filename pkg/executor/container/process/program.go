package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// program is what an image stands for here.
type program struct {
	// path of the file, and id, which is another one when the file's content is.
	path, id string
}

// lookUp finds the program. The image "consul" is the program of that name, and so is "hashicorp/consul", as the same image is called
// elsewhere; "consul:1.22.0" is the program consul-1.22.0; an absolute path is that file. An entrypoint names the program instead of the image.
func (w *work) lookUp() (p program, err error) {
	name := programName(w.block.Image)
	if len(w.block.Entrypoint) > 0 {
		name = w.block.Entrypoint[0]
	}
	if strings.Contains(name, "/") && !path.IsAbs(name) || name == "" || strings.ContainsAny(name, "\x00@") {
		return p, fault.New(fault.GiveUp, fault.Invalid, "%s asks for the program %q: it has to be a name, or an absolute path", w.r.Step, w.r.Mask(name))
	}
	folders := strings.Join(append(w.options.Programs[:len(w.options.Programs):len(w.options.Programs)], w.options.Path), string(filepath.ListSeparator))
	if p.path, err = process.Look(name, folders, "/"); err != nil {
		return p, w.missing(name, err)
	}
	if p.id, err = w.digests.of(p.path); err != nil {
		return p, w.missing(name, err)
	}
	return p, nil
}

func (w *work) missing(name string, err error) error {
	why := "there is none"
	if errors.Is(err, os.ErrPermission) {
		why = "the runner may not run, or not read, the one that there is"
	}
	return fault.Wrap(err, fault.GiveUp, fault.NotFound,
		"%s asks for the program %q: %s; the runner looks in the folders of process.programs and in those of its PATH (an image NAME:TAG is the program NAME-TAG)",
		w.r.Step, w.r.Mask(name), why)
}

// programName of an image.
func programName(image string) string {
	if path.IsAbs(image) {
		return image
	}
	name, tag, _ := strings.Cut(path.Base(image), ":")
	if tag != "" && tag != "latest" {
		name += "-" + tag
	}
	return name
}

// digests of programs, which may be large: each is read again only when the file is another one.
type digests struct {
	mu    sync.Mutex
	known map[string]digest
}

type digest struct {
	size  int64
	since time.Time
	file  os.FileInfo
	id    string
}

func (d *digests) of(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if k, ok := d.known[file]; ok && k.size == info.Size() && k.since.Equal(info.ModTime()) && os.SameFile(k.file, info) {
		return k.id, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	id := "sha256:" + hex.EncodeToString(sum.Sum(nil))
	d.known[file] = digest{size: info.Size(), since: info.ModTime(), file: info, id: id}
	return id, nil
}
