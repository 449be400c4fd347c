package template

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// fetchWithin bounds a fetch: a command waits for the template that needs it.
const fetchWithin = time.Minute

// Modules fetches folders from git repositories for kinds whose blocks refer to some, and keeps each commit's files below
// a folder. It is safe for concurrent use; two programs may share the folder.
type Modules struct {
	dir string
	mu  sync.Mutex // one git at a time: a template has a handful of modules
}

// NewModules keeps what is fetched below dir, which is made when it is first needed.
func NewModules(dir string) *Modules { return &Modules{dir: dir} }

// Fetch returns the folder of a branch, tag or commit of a repository, and the commit. What is in the folder never changes.
// The error is a *fault.Error: Retry when the repository could not be reached, Reject when it has no such ref.
func (m *Modules) Fetch(ctx context.Context, repository, ref string) (dir, commit string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := sha256.Sum256([]byte(repository))
	home := filepath.Join(m.dir, hex.EncodeToString(sum[:8]))
	if fullCommit(ref) {
		if dir := filepath.Join(home, ref); isFolder(dir) {
			return dir, ref, nil
		}
	}
	clone := filepath.Join(home, "repository")
	if err := FetchGit(ctx, repository, ref, clone); err != nil {
		return "", "", err
	}
	if commit, err = git(ctx, clone, "rev-parse", "--verify", "HEAD"); err == nil {
		dir = filepath.Join(home, commit)
		err = checkOut(ctx, clone, commit, dir)
	}
	if err != nil {
		return "", "", fault.Wrap(err, fault.Retry, fault.Unavailable, "what was fetched from %s can't be checked out; the log has git's words", redact(repository))
	}
	return dir, commit, nil
}

func fullCommit(ref string) bool {
	_, err := hex.DecodeString(ref)
	return err == nil && len(ref) == 40
}

func isFolder(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

// checkOut makes a folder with the files of a commit, whole or not at all.
func checkOut(ctx context.Context, clone, commit, dir string) error {
	if isFolder(dir) {
		return nil
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".checkout-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	files := filepath.Join(tmp, "files")
	if _, err := git(ctx, tmp, "clone", "--quiet", "--no-checkout", "--", clone, files); err != nil {
		return err
	}
	if _, err := git(ctx, files, "checkout", "--quiet", "--detach", commit); err != nil {
		return err
	}
	if err := os.Rename(files, dir); err != nil && !isFolder(dir) {
		return err
	}
	return nil
}
