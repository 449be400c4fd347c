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
	"slices"
	"strings"
	"time"
)

// pinnedProgram is a program that is built from the module in the folder of its name beside this file.
type pinnedProgram struct {
	title    string   // for people
	folder   string   // beside this file
	name     string   // of the program
	requires string   // the module whose version counts
	main     string   // the package that is built
	flags    []string // of the build, beyond those of all
	link     string   // flags of the linker, beyond those of all
	takes    string   // how long the build takes with a cold cache
	sources  []string // files of the module itself, where it is more than what it requires
	// versioned, where there is one, is the variable that the program tells its version by, with a v before it.
	versioned string

	module  string // folder of the pinned module
	program string // where the built program is kept
	version string
}

// get returns where the program is, building it when this machine has not built that version yet.
func (p *pinnedProgram) get(ctx context.Context, progress io.Writer) (string, error) {
	if err := p.locate(); err != nil {
		return "", err
	}
	if _, err := os.Stat(p.program); err == nil {
		return p.program, nil
	}
	return p.program, p.build(ctx, progress)
}

// locate finds the pinned module, and the place in the cache that is only this version's.
func (p *pinnedProgram) locate() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	p.module = filepath.Join(root, "test", "servers", p.folder)
	hash := sha256.New()
	var mod []byte
	for _, name := range append(slices.Clone(p.sources), "go.sum", "go.mod") { // go.mod last: it is read below
		if mod, err = os.ReadFile(filepath.Join(p.module, name)); err != nil {
			return fmt.Errorf("reading the module that pins %s: %w", p.title, err)
		}
		_, _ = hash.Write(mod)
	}
	version := regexp.MustCompile(`(?m)^(?:require)?\s+` + regexp.QuoteMeta(p.requires) + ` v(\S+)`).FindSubmatch(mod)
	if version == nil {
		return fmt.Errorf("%s does not require %s", filepath.Join(p.module, "go.mod"), p.requires)
	}
	p.version = string(version[1])
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("looking for a place to keep %s: %w", p.title, err)
	}
	short := hex.EncodeToString(hash.Sum(nil))[:12]
	p.program = filepath.Join(cache, "vivarium", "tools", strings.ReplaceAll(p.folder, "/", "-")+"-"+p.version+"-"+short, p.name)
	return nil
}

func (p *pinnedProgram) build(ctx context.Context, progress io.Writer) error {
	dir := filepath.Dir(p.program)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(p.program); err == nil {
		return nil // another process has built it meanwhile
	}
	_, _ = fmt.Fprintf(progress, "Building %s %s from its Go module (once; %s when the build cache is cold) ...\n", p.title, p.version, p.takes)
	start := time.Now()
	// Built beside its place and renamed, so that a build that is cut off never looks like a program.
	unfinished := p.program + ".unfinished"
	if err := p.compile(ctx, progress, unfinished); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	_, _ = fmt.Fprintf(progress, "Built %s %s in %s.\n", p.title, p.version, time.Since(start).Round(time.Second))
	return os.Rename(unfinished, p.program)
}

// compile says every 15 seconds that it is still at it. It gives way to all else that runs on the machine.
func (p *pinnedProgram) compile(ctx context.Context, progress io.Writer, to string) error {
	link := strings.TrimSpace("-s -w " + p.link)
	if p.versioned != "" {
		link += " -X " + p.versioned + "=v" + p.version
	}
	args := append([]string{"-n", "19", "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags", link, "-o", to}, p.flags...)
	cmd := exec.CommandContext(ctx, "nice", append(args, p.main)...)
	cmd.Dir = p.module
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
			_, _ = fmt.Fprintf(progress, "  still building %s, %s so far ...\n", p.title, time.Since(start).Round(time.Second))
		case err := <-finished:
			if err != nil {
				return fmt.Errorf("building %s %s in %s: %w\n%s", p.title, p.version, p.module, err, output.Bytes())
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
