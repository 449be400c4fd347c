package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
)

// keepUnused is how long an initialised module stays that no step has used; it can be made again at any time.
const keepUnused = 14 * 24 * time.Hour

const stampFile = "initialised.json"

// stamp says what a folder was initialised for. While it is the same, init is not run again.
type stamp struct {
	Files     string `json:"files"`
	Module    string `json:"module"`
	Binary    string `json:"binary"`
	Version   string `json:"version"`
	Backend   string `json:"backend"`
	Workspace string `json:"workspace,omitempty"`
}

func (s stamp) key() string {
	text, _ := json.Marshal(s) // strings only
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// readStamp is the zero stamp where there is none, which nothing is initialised for.
func readStamp(file string) stamp {
	text, err := os.ReadFile(file)
	var found stamp
	if err != nil || json.Unmarshal(text, &found) != nil {
		return stamp{}
	}
	return found
}

func writeStamp(file string, s stamp) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return replace(file, text)
}

// replace writes a file whole or not at all.
func replace(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// shared is the folder of a module that was initialised once for all steps that run it. With the state behind HTTP, nothing
// in the data folder is a step's own, and neither plan nor apply writes to it.
type shared string

func (s shared) module() string { return filepath.Join(string(s), "module") }
func (s shared) data() string   { return filepath.Join(string(s), "data") }
func (s shared) stamp() string  { return filepath.Join(string(s), stampFile) }

// locks has one lock for each key, never taken back: there are as many as modules.
type locks struct {
	mu   sync.Mutex
	held map[string]*sync.Mutex
}

func (l *locks) of(key string) *sync.Mutex {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*sync.Mutex{}
	}
	if l.held[key] == nil {
		l.held[key] = &sync.Mutex{}
	}
	return l.held[key]
}

// initialised is the shared folder of the run's module, which the first that needs it makes while others wait.
func (e *Executor) initialised(ctx context.Context, run *run) (shared, error) {
	key := run.stamp.key()
	s := shared(filepath.Join(e.cacheDir(run), key))
	lock := e.modules.of(key)
	lock.Lock()
	defer lock.Unlock()
	if readStamp(s.stamp()) == run.stamp && bundle.IsDir(os.DirFS(s.data()), ".") {
		now := time.Now()
		_ = os.Chtimes(s.stamp(), now, now) // one that looks unused is only made again
		return s, nil
	}
	if err := ctx.Err(); err != nil {
		return s, run.wrap(ctx, err, "")
	}
	e.forgetUnused(e.cacheDir(run))
	return s, e.initialise(ctx, run, s)
}

// cacheDir is that of the step where the executor has none.
func (e *Executor) cacheDir(run *run) string {
	if e.options.CacheDir != "" {
		return e.options.CacheDir
	}
	return filepath.Join(run.request.WorkDir, "modules")
}

func (e *Executor) initialise(ctx context.Context, run *run, s shared) error {
	err := os.RemoveAll(s.data())
	if err == nil {
		err = recopy(s.module(), run.request.Bundle, s.stamp())
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(s.module(), filepath.FromSlash(run.sub), backendFile), []byte(backendText), 0o600)
	}
	if err != nil {
		return run.wrap(ctx, err, "the folder in which the module of %s is initialised can't be made", run.request.Step)
	}
	there := *run
	there.copy, there.data = s.module(), s.data()
	if err := there.init(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(s.data(), 0o700); err != nil {
		return run.wrap(ctx, err, "the folder in which the module of %s is initialised can't be made", run.request.Step)
	}
	return there.stamped(ctx, s.stamp())
}

// forgetUnused removes what no step has run for long. A step that is under way has touched its stamp when it began.
func (e *Executor) forgetUnused(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // there is nothing yet
	}
	for _, entry := range entries {
		s := shared(filepath.Join(dir, entry.Name()))
		info, err := os.Stat(s.stamp())
		if err == nil && time.Since(info.ModTime()) > keepUnused || errors.Is(err, fs.ErrNotExist) && olderThan(entry, keepUnused) {
			_ = os.RemoveAll(string(s)) // what stays is tried again with the next module
		}
	}
}

func olderThan(entry fs.DirEntry, age time.Duration) bool {
	info, err := entry.Info()
	return err == nil && time.Since(info.ModTime()) > age
}
