package servers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// OpenTofuOption changes where OpenTofu takes the program from.
type OpenTofuOption func(*openTofu)

// PreferPath takes tofu, or else terraform, from PATH when one of them is there, instead of the pinned OpenTofu.
func PreferPath() OpenTofuOption { return func(o *openTofu) { o.preferPath = true } }

type openTofu struct {
	preferPath bool
	module     string // folder of the pinned module
	program    string // where the built program is kept
	version    string
}

// OpenTofu returns the path of the pinned OpenTofu, which it builds when this machine has not built that version yet:
// 2 to 7 minutes with a cold cache, said to progress. It has to be called from within the checkout. Two processes
// that call it at once build once.
func OpenTofu(ctx context.Context, progress io.Writer, options ...OpenTofuOption) (string, error) {
	var o openTofu
	for _, option := range options {
		option(&o)
	}
	if o.preferPath {
		for _, name := range []string{"tofu", "terraform"} {
			if path, err := exec.LookPath(name); err == nil {
				return filepath.Abs(path)
			}
		}
	}
	if err := o.locate(); err != nil {
		return "", err
	}
	if _, err := os.Stat(o.program); err == nil {
		return o.program, nil
	}
	return o.program, o.build(ctx, progress)
}

var pinned = regexp.MustCompile(`(?m)^require github\.com/opentofu/opentofu v(\S+)$`)

// locate finds the pinned module, and the place in the cache that is only this version's.
func (o *openTofu) locate() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	o.module = filepath.Join(root, "test", "servers", "opentofu")
	hash := sha256.New()
	var mod []byte
	for _, name := range []string{"go.sum", "go.mod"} {
		if mod, err = os.ReadFile(filepath.Join(o.module, name)); err != nil {
			return fmt.Errorf("reading the module that pins OpenTofu: %w", err)
		}
		_, _ = hash.Write(mod)
	}
	version := pinned.FindSubmatch(mod)
	if version == nil {
		return fmt.Errorf("%s does not require github.com/opentofu/opentofu", filepath.Join(o.module, "go.mod"))
	}
	o.version = string(version[1])
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("looking for a place to keep OpenTofu: %w", err)
	}
	short := hex.EncodeToString(hash.Sum(nil))[:12]
	o.program = filepath.Join(cache, "vivarium", "tools", "opentofu-"+o.version+"-"+short, "tofu")
	return nil
}

func (o *openTofu) build(ctx context.Context, progress io.Writer) error {
	dir := filepath.Dir(o.program)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(o.program); err == nil {
		return nil // another process has built it meanwhile
	}
	_, _ = fmt.Fprintf(progress, "Building OpenTofu %s from its Go module (once; 2 to 7 minutes when the build cache is cold) ...\n", o.version)
	start := time.Now()
	// Built beside its place and renamed, so that a build that is cut off never looks like a program.
	unfinished := o.program + ".unfinished"
	if err := o.compile(ctx, progress, unfinished); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	_, _ = fmt.Fprintf(progress, "Built OpenTofu %s in %s.\n", o.version, time.Since(start).Round(time.Second))
	return os.Rename(unfinished, o.program)
}

// compile says every 15 seconds that it is still at it.
func (o *openTofu) compile(ctx context.Context, progress io.Writer, to string) error {
	// version.dev marks a development build; the released programs are linked with "no" too.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags", "-s -w -X github.com/opentofu/opentofu/version.dev=no", "-o", to, "github.com/opentofu/opentofu/cmd/tofu")
	cmd.Dir = o.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	start, finished := time.Now(), make(chan error, 1)
	go func() { finished <- cmd.Run() }()
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = fmt.Fprintf(progress, "  still building OpenTofu, %s so far ...\n", time.Since(start).Round(time.Second))
		case err := <-finished:
			if err != nil {
				return fmt.Errorf("building OpenTofu %s in %s: %w\n%s", o.version, o.module, err, output.Bytes())
			}
			return nil
		}
	}
}

// moduleRoot is the folder of the main module's go.mod, at or above the current folder.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/vivarium-env/vivarium\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("this has to run inside a checkout of Vivarium: no go.mod of github.com/vivarium-env/vivarium at or above the current folder")
		}
		dir = parent
	}
}
