package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// folders lays out the runner's working folder: bundles/<hash>, and work/<environment>/<short hash of the step>.
type folders struct {
	root string
	// mu keeps the removal of an environment's last folder and the making of a new one apart.
	mu sync.Mutex
}

// bundle unpacks a bundle once.
func (f *folders) bundle(b *event.Bundle) (string, error) {
	// The hash is checked by Unpack before the folder is looked at; Base makes a wrong one harmless even so.
	dir := filepath.Join(f.root, "bundles", filepath.Base(b.Hash))
	return dir, bundle.Unpack(b, dir)
}

// work makes the folder of a step. It may hold what the executor got as secrets, so it is the runner's alone.
func (f *folders) work(ref event.TaskRef) (string, error) {
	dir, err := f.path(ref)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fault.Wrap(err, fault.Retry, fault.Internal,
			"the folder of the step can't be made; look at the room and the permissions of the runner's working folder")
	}
	return dir, nil
}

// remove drops the folder of a step, and that of its environment with the last one.
func (f *folders) remove(ref event.TaskRef) error {
	dir, err := f.path(ref)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(dir)) // fails as long as other steps have folders, which is meant
	return nil
}

// path believes nothing of the environment's name, which came with a message.
func (f *folders) path(ref event.TaskRef) (string, error) {
	name := ref.Environment
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) {
		return "", fault.New(fault.Reject, fault.InvalidName, "%q can't be the name of an environment", name)
	}
	sum := sha256.Sum256([]byte(ref.Step))
	return filepath.Join(f.root, "work", name, hex.EncodeToString(sum[:8])), nil
}
