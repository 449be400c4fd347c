package template

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Archive packs the template's folder, so that the template can be compiled again wherever the catalogue is not, or
// is not the same any more. Errors are *fault.Error.
func (t *Template) Archive() (*event.Bundle, error) { return bundle.Pack(t.files, ".") }

// packs keeps what was packed: many environments and resources use the same folders.
type packs struct {
	mu   sync.Mutex
	done map[string]*event.Bundle
}

// PackFolder packs a folder of the template, once. Errors are *fault.Error.
func (t *Template) PackFolder(dir string) (*event.Bundle, error) {
	t.packs.mu.Lock()
	defer t.packs.mu.Unlock()
	if b, known := t.packs.done[dir]; known {
		return b, nil
	}
	b, err := bundle.Pack(t.files, dir)
	if err == nil {
		t.packs.done[dir] = b
	}
	return b, err
}

// PackBundle packs the folder whose content hash some block names. Errors are *fault.Error.
func (t *Template) PackBundle(hash string) (*event.Bundle, error) {
	for _, b := range t.Blocks() {
		if b.BundleHash == hash {
			return t.PackFolder(b.Bundle)
		}
	}
	return nil, fault.New(fault.GiveUp, fault.NotFound, "template %s@%s has no block with the files %.12s", t.Name, t.Version, hash)
}

// FromArchive compiles an archived template. meta says which it has to be; what is in the archive is held against
// it. Files are unpacked below scratchDir, and gone when it returns. Errors are *fault.Error.
// A template of which kinds does not have some kind is of code ExecutorUnknown: it was good when it was archived.
func FromArchive(b *event.Bundle, meta environment.Template, scratchDir string, kinds Kinds) (*Template, error) {
	t, err := unarchived(b, meta, scratchDir, kinds)
	switch {
	case err == nil:
		return t, nil
	case t != nil && len(t.lacking) > 0:
		slices.Sort(t.lacking)
		return nil, fault.New(fault.Wait, fault.ExecutorUnknown, "template %s@%s has resources of the kind %s, and this server has no such executor any more: configure its plugin again, and start the server with it",
			meta.Name, meta.Version, strings.Join(slices.Compact(t.lacking), ", "))
	}
	return nil, err
}

// FilesFromArchive is FromArchive for PackBundle alone: that a kind is missing does not matter for the files of the others.
func FilesFromArchive(b *event.Bundle, meta environment.Template, scratchDir string, kinds Kinds) (*Template, error) {
	t, err := unarchived(b, meta, scratchDir, kinds)
	if err != nil && (t == nil || len(t.lacking) == 0) {
		return nil, err
	}
	return t, nil
}

// unarchived returns what is known of the template beside an error of the compiler.
func unarchived(b *event.Bundle, meta environment.Template, scratchDir string, kinds Kinds) (*Template, error) {
	if err := os.MkdirAll(scratchDir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Internal, "there is no room for the archive of template %s", meta.Name)
	}
	// A folder below a fresh one, for Unpack makes the folder itself.
	scratch, err := os.MkdirTemp(scratchDir, "template-")
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Internal, "there is no room for the archive of template %s", meta.Name)
	}
	defer os.RemoveAll(scratch)
	dir := filepath.Join(scratch, "files")
	if err := bundle.Unpack(b, dir); err != nil {
		return nil, err
	}
	t, wrong := compile(nil, dir, kinds)
	if wrong != nil {
		return t, wrong
	}
	if t.Name != meta.Name || t.Version != meta.Version || meta.Hash != "" && t.Hash != meta.Hash {
		return nil, fault.New(fault.GiveUp, fault.Conflict, "the archive holds %s@%s with hash %.12s, where %s@%s with hash %.12s is needed",
			t.Name, t.Version, t.Hash, meta.Name, meta.Version, meta.Hash)
	}
	return t.withCommit(meta.Commit), nil
}
