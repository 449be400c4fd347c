// Command demo is `make bootstrap-demo`: it raises a Vivarium that manages itself from repositories that it makes, on this machine's processes or in a
// Docker of its own; kills that in the middle and goes on; shows it, changes it, and destroys it again, or leaves it with -stay. The exit code is 0 only
// when all of that went well. What a killed demo has left is taken up again by the next one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vivarium-env/vivarium/test/bootstrap"
	"github.com/vivarium-env/vivarium/test/servers"
)

const (
	onProcesses = "process"
	inDocker    = "local"
)

// middle is a line at which the first run is killed: Vault's keys were just kept.
const middle = "complete   vault_cluster.vault"

func main() {
	var d demo
	flag.StringVar(&d.program, "program", "bin/vivarium", "the built program; for -location local a static one")
	flag.StringVar(&d.location, "location", onProcesses, "process, or local for Docker")
	flag.BoolVar(&d.stay, "stay", false, "leave what was raised; that in Docker until an interrupt")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := d.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nbootstrap-demo:", err)
		os.Exit(1)
	}
}

type demo struct {
	program, location string
	stay              bool
	*bootstrap.Place
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.location != onProcesses && d.location != inDocker {
		return fmt.Errorf("the location %q is not one of this demonstration: it has %s and %s", d.location, onProcesses, inDocker)
	}
	if d.program, err = filepath.Abs(d.program); err != nil {
		return err
	}
	dir, err := d.folder()
	if err != nil {
		return err
	}
	if d.Place, err = bootstrap.New(ctx, dir, d.program, os.Stderr); err != nil {
		return err
	}
	end, err := d.docker(ctx)
	if err == nil {
		err = d.live(ctx)
	}
	switch err = errors.Join(err, end()); {
	case err != nil:
		return fmt.Errorf("%w; what is left is in %s", err, dir)
	case d.stays():
		return nil
	}
	return os.RemoveAll(dir)
}

// stays tells whether what was raised outlives the demonstration; an engine of its own does not.
func (d *demo) stays() bool { return d.stay && d.location == onProcesses }

// folder is the same in every run, so that one that was killed is taken up again.
func (d *demo) folder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "vivarium", "demo-"+d.location)
	return dir, os.MkdirAll(dir, 0o711)
}

// docker is an engine of its own where one is wanted, with the images that the demonstration packs; end ends it.
func (d *demo) docker(ctx context.Context) (end func() error, err error) {
	end = func() error { return nil }
	if d.location != inDocker {
		return end, nil
	}
	dir := filepath.Join(d.Dir, "docker")
	if err := errors.Join(servers.InstallDocker(ctx, os.Stderr), os.MkdirAll(dir, 0o711)); err != nil {
		return end, err
	}
	engine, err := servers.StartDocker(ctx, dir)
	if err != nil {
		return end, err
	}
	fmt.Println("Docker", engine.Version(), "runs for this alone; packing images of this machine's programs, since none can be pulled everywhere ...")
	return engine.Discard, d.InDocker(ctx, engine)
}

func (d *demo) live(ctx context.Context) error {
	err := d.raise(ctx)
	switch {
	case err != nil:
	case d.stays():
		fmt.Printf("\nIt stays. To destroy it:\n  %s\n", strings.Join(d.Destroy(ctx).Args, " "))
		return nil
	case d.stay:
		fmt.Println("\nIt stays until you interrupt this (Ctrl-C).")
		<-ctx.Done()
	}
	return errors.Join(err, d.lower(context.WithoutCancel(ctx))) // also after a failure, since nothing should be left behind
}

func (d *demo) raise(ctx context.Context) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	for _, cmd := range []*exec.Cmd{
		d.Bootstrap(ctx),
		d.Command(ctx, "env", "list", "--server", d.API()),
		d.Command(ctx, "env", "show", bootstrap.Further, "--server", d.API()),
		d.Command(ctx, "env", "plan", "meta", "--data-dir", d.Data(), "--detailed-exitcode"),
		d.Command(ctx, "env", "update", "meta", "--param", "log_level=debug", "--wait", "--data-dir", d.Data()),
		d.Command(ctx, "env", "plan", "meta", "--data-dir", d.Data(), "--detailed-exitcode"),
	} {
		if err := show(cmd); err != nil {
			return err
		}
	}
	return nil
}

// begin is a bootstrap that is killed in the middle, unless one was already.
func (d *demo) begin(ctx context.Context) error {
	if _, err := os.Stat(d.Work()); err == nil {
		fmt.Printf("An earlier run has left %s: this one goes on.\n", d.Work())
		return nil
	}
	cmd := d.Bootstrap(ctx)
	say(cmd)
	killed, err := bootstrap.RunUntil(cmd, os.Stdout, middle)
	if killed != "" {
		fmt.Println("\nKilled (SIGKILL) in the middle. The same command goes on:")
		return nil
	}
	return err
}

// lower destroys everything, and has it that nothing is left.
func (d *demo) lower(ctx context.Context) error {
	further := d.Command(ctx, "env", "show", bootstrap.Further, "--server", d.API())
	if further.Run() == nil {
		if err := show(d.Command(ctx, "env", "destroy", bootstrap.Further, "--yes", "--wait", "--data-dir", d.Data())); err != nil {
			return err
		}
	}
	if err := show(d.Destroy(ctx)); err != nil {
		return err
	}
	left, err := d.Left(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("something is left: %q", left)
	}
	return err
}

// show runs a command before everybody's eyes. An interrupt reaches it by itself, as it is of the same terminal.
func show(cmd *exec.Cmd) error {
	say(cmd)
	cmd.Stdout, cmd.Stderr, cmd.Stdin = os.Stdout, os.Stderr, os.Stdin
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd.Run()
}

func say(cmd *exec.Cmd) { fmt.Printf("\n$ vivarium %s\n", strings.Join(cmd.Args[1:], " ")) }
