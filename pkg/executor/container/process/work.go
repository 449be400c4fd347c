package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// work is one call of a method.
type work struct {
	*Executor
	r     executor.Request
	block container.Block
	// program that the block asks for, and hash, the fingerprint of what a replica is to be made of; both once it was looked up.
	program program
	hash    string
	// ended are the replicas that were removed.
	ended []found
}

func (e *Executor) begin(ctx context.Context, r executor.Request) (*work, error) {
	w, wrong, err := e.loosely(ctx, r)
	if err == nil {
		err = wrong
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// loosely also takes a block that no apply could use, and tells what is wrong with it: what is there can be looked at and removed without.
func (e *Executor) loosely(ctx context.Context, r executor.Request) (w *work, wrong, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fault.From(err)
	}
	if runtime.GOOS != "linux" || !filepath.IsAbs(e.options.Folder) {
		return nil, nil, fault.New(fault.GiveUp, fault.ExecutorFailed,
			"the runner can't run %s as a process: that needs Linux, and process.folder has to be an absolute path", r.Step)
	}
	block, wrong := container.Decode(r)
	return &work{Executor: e, r: r, block: block}, wrong, nil
}

// refuse names what a process can't be given, "" when there is nothing.
func (w *work) refuse() string {
	b := w.block
	shared := len(b.Networks) == 0 || len(b.Networks) == 1 && b.Networks[0] == "host"
	switch {
	case !shared:
		return "a process has the machine's network and no other: leave networks out (others reach it at 127.0.0.1)"
	case b.OnlyOnKubernetes() != "":
		return b.OnlyOnKubernetes()
	case len(b.Expose) > 0:
		return "nothing routes to a process: leave expose out, and reach it at its port"
	case b.Limits.CPU != 0 || b.Limits.Memory != 0:
		return "a process can't be limited: leave limits out"
	case b.Replicas > 1 && len(w.ports()) > 0:
		return fmt.Sprintf("of %d replicas only one can have port %d of the machine: have one replica", b.Replicas, w.ports()[0].Container)
	}
	for _, p := range b.Ports {
		if p.Host != 0 && p.Host != p.Container {
			return fmt.Sprintf("port %d can't be another one outside, since a process has the machine's ports: have the program listen on %d and leave host out", p.Container, p.Host)
		}
	}
	for _, v := range b.Volumes {
		switch {
		case v.ReadOnly:
			return fmt.Sprintf("the volume at %q can't be kept from being written to: leave read_only out", v.Path)
		case v.Path == "/":
			return "a volume can't be all of a process's folder: give it a path below /"
		case v.Name != "" && !volumeName.MatchString(v.Name):
			return fmt.Sprintf("the volume %q needs a name of letters, digits, dots, hyphens and underscores", v.Name)
		}
	}
	return ""
}

// ports are those that the program is going to listen on, as far as the block says so.
func (w *work) ports() []container.Port {
	ports := slices.Clone(w.block.Ports)
	if n := w.block.Health.Port(); n != 0 && !slices.ContainsFunc(ports, func(p container.Port) bool { return p.Container == n && p.Protocol == container.TCP }) {
		ports = append(ports, container.Port{Container: n, Protocol: container.TCP})
	}
	return ports
}

// find looks the program up, and works out what a replica is to be made of.
func (w *work) find() (err error) {
	if wrong := w.refuse(); wrong != "" {
		return container.Invalid(w.r, "%s", wrong)
	}
	if w.program, err = w.lookUp(); err != nil {
		return err
	}
	w.hash, err = w.fingerprint(w.program.id)
	return err
}

// fingerprint of what a replica of this program would be made of.
func (w *work) fingerprint(id string) (string, error) {
	b := w.block
	// What changes nothing in a replica replaces none.
	b.Replicas, b.Pull, b.Update, b.Image, b.Health = 0, "", container.Update{}, "", nil
	for i, v := range b.Volumes {
		if i == 0 {
			b.Volumes = slices.Clone(b.Volumes)
		}
		v.Keep = false
		b.Volumes[i] = v
	}
	return container.Fingerprint(w.box(), w.r, b, id)
}

func (w *work) box() *secret.Box {
	if w.options.Key == nil {
		return nil
	}
	return w.options.Key()
}

// target is what the call does with the replicas, by what can be done with a process.
func (w *work) target() replicas.Target[found] {
	return replicas.Target[found]{
		Request: w.r, Block: w.block, Compare: w.compare, Healthy: w.healthy, Replace: w.replace, Remove: w.remove, Drift: w.health, Left: w.left,
	}
}

// grace is a context for what has to be put right although the work was cancelled.
func (w *work) grace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), w.options.Grace)
}

// fault says what an error of the machine means: a full disk or a missing right may be seen to.
func (w *work) fault(ctx context.Context, err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case errors.As(err, &f):
		return f
	}
	return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "this machine could not do what %s needs: %s", w.r.Step, replicas.Cut(w.r.Mask(said(err)), replicas.ShownBytes))
}

// said is an error of the system, with the file that it is about.
func said(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
