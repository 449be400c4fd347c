package action

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// maxApp is the largest app in bytes; more would rather be an image.
const maxApp = 1 << 30

// check finds what is wrong with the block as such.
func (a app) check() error {
	switch {
	case a.Name == "" || a.Name == "." || a.Name == ".." || strings.ContainsAny(a.Name, "/\\\x00"):
		return fmt.Errorf("the name %q can't be that of a program", a.Name)
	case a.SHA256 != "" && len(a.sum()) != hex.EncodedLen(sha256.Size):
		return errors.New("sha256 has to be 64 hexadecimal digits")
	case a.relative():
		if _, err := bundle.Clean(a.URL); err != nil {
			return fmt.Errorf("the url %q %w", a.URL, err)
		}
		return nil
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		return errors.New("the url can't be read")
	}
	switch {
	case u.Scheme == "file" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
	default:
		return errors.New(`the url has to be a path within the template's folder ("./apps/migrate"), file:///..., http://... or https://...`)
	}
	return nil
}

func (a app) relative() bool { return !strings.Contains(a.URL, ":") }

// sum is the wanted hash in lower case, or "" when there is none.
func (a app) sum() string {
	sum := strings.ToLower(a.SHA256)
	if _, err := hex.DecodeString(sum); err != nil {
		return "not hexadecimal"
	}
	return sum
}

// fetch returns the app's file in the cache. An app whose hash is given is fetched once; another is fetched again
// with every attempt, since nothing says whether it is still the same.
func (e *Executor) fetch(ctx context.Context, r executor.Request, a app) (string, error) {
	dir := e.folder()
	if a.SHA256 != "" {
		done, err := e.apps.alone(ctx, a.sum())
		if err != nil {
			return "", wrap(ctx, err, "the app of %s could not be fetched", r.Step)
		}
		defer done()
		if at := filepath.Join(dir, a.sum()); e.cached(a) && e.apps.whole(at, a.sum()) {
			return at, nil
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", wrap(ctx, err, "the cache of apps can't be written")
	}
	from, err := e.open(ctx, r, a)
	if err != nil {
		return "", err
	}
	defer from.Close() //nolint:errcheck // only read from
	return store(ctx, dir, r, a, from)
}

func (e *Executor) folder() string { return filepath.Join(e.options.CacheDir, "apps") }

// cached: it is here already, and nobody is asked for it.
func (e *Executor) cached(a app) bool {
	return a.SHA256 != "" && bundle.IsFile(os.DirFS(e.folder()), a.sum())
}

func (e *Executor) open(ctx context.Context, r executor.Request, a app) (io.ReadCloser, error) {
	if a.relative() {
		clean, _ := bundle.Clean(a.URL) // check has seen it
		at, ok := bundle.Locate(os.DirFS(r.Bundle), clean, bundle.IsFile)
		if r.Bundle == "" || !ok {
			return nil, fault.New(fault.GiveUp, fault.NotFound, "the app %s of %s did not come with the task", a.URL, r.Step)
		}
		return openFile(ctx, r, filepath.Join(r.Bundle, at))
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the url of the app of %s can't be read", r.Step)
	}
	if u.Scheme == "file" {
		return openFile(ctx, r, u.Path)
	}
	return e.download(ctx, r, u)
}

func openFile(ctx context.Context, r executor.Request, at string) (io.ReadCloser, error) {
	file, err := os.Open(at)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, fault.Wrap(err, fault.GiveUp, fault.NotFound,
			"the app of %s can't be read on this runner: is it there, and readable for the runner's user?", r.Step)
	}
	if err != nil {
		return nil, wrap(ctx, err, "the app of %s can't be read", r.Step)
	}
	return file, nil
}

// store writes an app to the cache under its hash: whole or not at all.
func store(ctx context.Context, dir string, r executor.Request, a app, from io.Reader) (string, error) {
	dropLeftovers(dir)
	file, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return "", wrap(ctx, err, "the cache of apps can't be written")
	}
	defer os.Remove(file.Name()) //nolint:errcheck // renamed by then, if all went well
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, hash), io.LimitReader(from, maxApp+1))
	err = errors.Join(err, file.Chmod(0o500), file.Sync(), file.Close())
	sum := hex.EncodeToString(hash.Sum(nil))
	switch {
	case err != nil:
		return "", wrap(ctx, err, "the app of %s could not be fetched to its end", r.Step)
	case size > maxApp:
		return "", fault.New(fault.GiveUp, fault.Invalid, "the app of %s is larger than %d bytes", r.Step, maxApp)
	case a.SHA256 != "" && sum != a.sum():
		return "", fault.New(fault.GiveUp, fault.ExecutorFailed,
			"the app of %s is not the one asked for: its sha256 is %s, the block says %s; it was not run", r.Step, sum, a.sum())
	}
	at := filepath.Join(dir, sum)
	if err := os.Rename(file.Name(), at); err != nil {
		return "", wrap(ctx, err, "the cache of apps can't be written")
	}
	return at, nil
}
