package action

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// prepared is a command that is ready to run.
type prepared struct {
	program string
	dir     string
	env     []string
}

// prepare makes the working folder afresh, fetches the app and finds the program.
func (e *Executor) prepare(ctx context.Context, r executor.Request, b block) (prepared, error) {
	p := prepared{dir: filepath.Join(r.WorkDir, "files")}
	bin := filepath.Join(r.WorkDir, "bin")
	if err := e.folders(r, b, p.dir, bin); err != nil {
		return p, wrap(ctx, err, "the working folder of %s can't be made", r.Step)
	}
	path := e.path
	if own, ok := b.Environment["PATH"]; ok {
		path = own
	}
	if b.App != nil {
		file, err := e.fetch(ctx, r, *b.App)
		if err != nil {
			return p, err
		}
		if err := os.Symlink(file, filepath.Join(bin, b.App.Name)); err != nil {
			return p, wrap(ctx, err, "the app of %s can't be put in its place", r.Step)
		}
		path = bin + string(filepath.ListSeparator) + path
	}
	var err error
	if p.env, err = e.environment(r, b, path, p.dir); err != nil {
		return p, err
	}
	if p.program, err = process.Look(b.Command[0], path, p.dir); err != nil {
		return p, notFound(r, b.Command[0], err)
	}
	return p, nil
}

func (e *Executor) folders(r executor.Request, b block, dir, bin string) error {
	for _, d := range []string{dir, bin} {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if b.Files == "" {
		return nil
	}
	clean, err := bundle.Clean(b.Files)
	if err != nil {
		return err
	}
	at, ok := bundle.Locate(os.DirFS(r.Bundle), clean, bundle.IsDir)
	if r.Bundle == "" || !ok {
		return fault.New(fault.GiveUp, fault.NotFound, "the files %s of %s did not come with the task", b.Files, r.Step)
	}
	return bundle.Copy(dir, filepath.Join(r.Bundle, at))
}

// identity is what tells the step apart from all others, in the environment of its processes.
func identity(r executor.Request) []string {
	return []string{"VIVARIUM_ENVIRONMENT=" + r.Environment, "VIVARIUM_STEP=" + r.Step}
}

// environment is all that the command finds in its environment. Of two entries with one name the later counts, so
// the block may set HOME, and nobody can take another step's identity.
func (e *Executor) environment(r executor.Request, b block, path, dir string) ([]string, error) {
	home := e.home
	if home == "" {
		home = dir
	}
	env := []string{"HOME=" + home}
	for name, value := range b.Environment {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return nil, fault.New(fault.GiveUp, fault.Invalid, "%q in the environment of %s can't be an environment variable", r.Mask(name), r.Step)
		}
		env = append(env, name+"="+value)
	}
	env = append(env, "PATH="+path, "PWD="+dir)
	env = append(env, identity(r)...)
	return append(env, "VIVARIUM_ATTEMPT="+strconv.Itoa(r.Attempt), "VIVARIUM_OPERATION="+r.Operation, "VIVARIUM_OCCASION="+r.Occasion), nil
}

func lookup(environment []string, name string) string {
	for _, entry := range environment {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
