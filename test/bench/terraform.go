package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/test/servers"
)

// unitsAtOnce is how many units are worked on at once, by everybody.
const unitsAtOnce = 4

// terraformUnits compares environments of Terraform modules with the floor: a bare loop that only calls the program in folders
// that are initialised, in the same order and width.
func terraformUnits(ctx context.Context, r *report) error {
	tofu, err := servers.OpenTofu(ctx, os.Stderr)
	if err != nil {
		return err
	}
	for _, s := range shapes {
		err := inFolder(func(dir string) error {
			b := &unitsBench{shape: s, dir: dir, report: r}
			if b.binary, err = counting(dir, tofu); err != nil {
				return err
			}
			return b.run(ctx)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// counting wraps the program so that its processes can be counted: a shell that becomes it, a millisecond for everybody.
func counting(dir, program string) (string, error) {
	wrapper := filepath.Join(dir, "tofu")
	text := fmt.Sprintf("#!/bin/sh\necho >> '%s'\nexec '%s' \"$@\"\n", wrapper+".count", program)
	return wrapper, os.WriteFile(wrapper, []byte(text), 0o755)
}

// cost is what something took.
type cost struct {
	wall, cpu time.Duration
	processes int
}

// against says a cost, and how many times the floor's it is.
func (c cost) against(floor cost) string {
	text := fmt.Sprintf("%.2f s wall, %.2f s CPU, %d processes", c.wall.Seconds(), c.cpu.Seconds(), c.processes)
	if floor.wall > 0 {
		text += fmt.Sprintf(" (%.2f and %.2f times the floor)", c.wall.Seconds()/floor.wall.Seconds(), c.cpu.Seconds()/floor.cpu.Seconds())
	}
	return text
}

type unitsBench struct {
	shape  shape
	dir    string
	binary string
	report *report
}

// measure counts all of this process and of those that it has started and waited for.
func (b *unitsBench) measure(do func() error) (cost, error) {
	if err := os.RemoveAll(b.binary + ".count"); err != nil {
		return cost{}, err
	}
	start, before := time.Now(), processorTime()
	err := do()
	c := cost{wall: time.Since(start), cpu: processorTime() - before}
	count, readErr := os.ReadFile(b.binary + ".count")
	if readErr != nil && !errors.Is(readErr, os.ErrNotExist) {
		return c, errors.Join(err, readErr)
	}
	c.processes = bytes.Count(count, []byte("\n"))
	return c, err
}

func processorTime() time.Duration {
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u) // fails for no known who
		total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return total
}

// phases are what is compared; a phase that somebody does not have has no cost.
type phases struct{ first, again, refreshed, destroyed cost }

func (b *unitsBench) run(ctx context.Context) error {
	floor, err := b.floor(ctx)
	if err != nil {
		return err
	}
	ours, err := b.ours(ctx)
	if err != nil {
		return err
	}
	theirs, err := b.terragrunt(ctx)
	if err != nil {
		return err
	}
	for _, row := range []struct {
		what              string
		floor, ours, them cost
		goal              string
	}{
		{"first apply", floor.first, ours.first, theirs.first, "<= 1.3 times"},
		{"second apply, unchanged, by hash", floor.again, ours.again, theirs.again, "no process"},
		{"second apply, unchanged, refreshing", floor.again, ours.refreshed, theirs.again, "<= 1.3 times"},
		{"destroy", floor.destroyed, ours.destroyed, theirs.destroyed, "<= 1.3 times"},
	} {
		what := fmt.Sprintf("%s of %d modules, %s", b.shape.name, b.shape.count, row.what)
		b.report.row(what+": floor", row.floor.against(cost{}), "")
		b.report.row(what+": Vivarium", row.ours.against(row.floor), row.goal)
		if row.them.wall > 0 {
			b.report.row(what+": Terragrunt", row.them.against(row.floor), "")
		}
	}
	return nil
}

// floor is the bare loop.
func (b *unitsBench) floor(ctx context.Context) (p phases, err error) {
	dirs := make([]string, b.shape.count)
	for i := range dirs {
		dirs[i] = filepath.Join(b.dir, "floor", fmt.Sprintf("u%d", i))
		if err := writeUnit(dirs[i], i); err != nil {
			return p, err
		}
		if err := b.tofu(ctx, dirs[i], "init"); err != nil {
			return p, err
		}
	}
	all := func(verb string) (cost, error) {
		return b.measure(func() error {
			return b.shape.walk(unitsAtOnce, verb == "destroy", func(i int) error { return b.tofu(ctx, dirs[i], verb, "-auto-approve") })
		})
	}
	if p.first, err = all("apply"); err != nil {
		return p, err
	}
	if p.again, err = all("apply"); err != nil {
		return p, err
	}
	p.destroyed, err = all("destroy")
	return p, err
}

func writeUnit(dir string, i int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(unitModule), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "terraform.tfvars"), fmt.Appendf(nil, "name = \"u%d\"\n", i), 0o644)
}

func (b *unitsBench) tofu(ctx context.Context, dir, verb string, args ...string) error {
	return called(exec.CommandContext(ctx, b.binary, append([]string{verb, "-input=false", "-no-color"}, args...)...), dir)
}

func called(cmd *exec.Cmd, dir string, env ...string) error {
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

// ours is the real way: a command on the embedded bus, the server, a runner, the executor.
func (b *unitsBench) ours(ctx context.Context) (p phases, err error) {
	if err := b.shape.write(filepath.Join(b.dir, "catalogue")); err != nil {
		return p, err
	}
	x := terraform.New(terraform.Options{Binary: b.binary, CacheDir: filepath.Join(b.dir, "modules"), Environment: os.Environ()})
	err = withEmbedded(ctx, b.dir, func(embedded bus.Bus) (err error) {
		c, err := newClusterOf(ctx, b.dir, embedded, x, unitsAtOnce)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.close(context.WithoutCancel(ctx))) }()
		for _, step := range []struct {
			to      *cost
			command string
			data    any
			until   string
		}{
			{&p.first, event.EnvironmentCreate, event.Create{Templates: []string{b.shape.name}}, "deployed"},
			{&p.again, event.EnvironmentUpdate, event.Update{Templates: []string{b.shape.name}}, "deployed"},
			{&p.destroyed, event.EnvironmentDestroy, event.Destroy{}, "destroyed"},
		} {
			*step.to, err = b.measure(func() error {
				_, err := c.command(ctx, "units", step.command, step.data, step.until)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		p.refreshed, err = b.refreshed(ctx, x)
	}
	return p, err
}

// refreshed is an apply of what is there already, which the server asks for only where something has changed: so the
// executor is asked without the server.
func (b *unitsBench) refreshed(ctx context.Context, x *terraform.Executor) (cost, error) {
	requests := make([]executor.Request, b.shape.count)
	for i := range requests {
		requests[i] = b.request(i)
	}
	var mu sync.Mutex
	all := func() error {
		return b.shape.walk(unitsAtOnce, false, func(i int) error {
			r := requests[i]
			r.SaveState = func(_ context.Context, state []byte) error {
				mu.Lock()
				defer mu.Unlock()
				requests[i].State = state
				return nil
			}
			if err := os.MkdirAll(r.WorkDir, 0o700); err != nil {
				return err
			}
			_, err := x.Apply(ctx, r)
			return err
		})
	}
	if err := all(); err != nil {
		return cost{}, err
	}
	return b.measure(all)
}

func (b *unitsBench) request(i int) executor.Request {
	name := fmt.Sprintf("u%d", i)
	inputs, _ := json.Marshal(map[string]any{"source": "./unit", "inputs": map[string]string{"name": name}}) // strings only
	return executor.Request{
		TaskRef: event.TaskRef{Environment: "refreshed", Operation: "bench", Step: name, Attempt: 1, Epoch: 1},
		Inputs:  inputs, Bundle: filepath.Join(b.dir, "catalogue", b.shape.name), WorkDir: filepath.Join(b.dir, "refreshed", name),
		Log: func(string, string) {},
	}
}

// terragrunt is Terragrunt's own way, where it is on PATH.
func (b *unitsBench) terragrunt(ctx context.Context) (p phases, err error) {
	program, err := exec.LookPath("terragrunt")
	if err != nil {
		b.report.row(b.shape.name+": Terragrunt", "not on PATH, not compared", "")
		return p, nil
	}
	root := filepath.Join(b.dir, "terragrunt")
	for i := range b.shape.count {
		dir := filepath.Join(root, fmt.Sprintf("u%d", i))
		if err := writeUnit(dir, i); err != nil {
			return p, err
		}
		text := ""
		if before := b.shape.before(i); before >= 0 {
			text = fmt.Sprintf("dependencies {\n  paths = [\"../u%d\"]\n}\n", before)
		}
		if err := os.WriteFile(filepath.Join(dir, "terragrunt.hcl"), []byte(text), 0o644); err != nil {
			return p, err
		}
	}
	all := func(verb string) (cost, error) {
		return b.measure(func() error {
			cmd := exec.CommandContext(ctx, program, "run", "--all", "--non-interactive", "--parallelism", fmt.Sprint(unitsAtOnce), "--", verb)
			return called(cmd, root, "TG_TF_PATH="+b.binary)
		})
	}
	if p.first, err = all("apply"); err != nil {
		return p, err
	}
	if p.again, err = all("apply"); err != nil {
		return p, err
	}
	p.destroyed, err = all("destroy")
	return p, err
}
