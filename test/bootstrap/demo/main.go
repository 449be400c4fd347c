// Command demo is `make bootstrap-demo`: it raises a Vivarium that manages itself from repositories that it makes in a temporary
// folder, shows it, and destroys it again, or leaves it with -stay. The exit code is 0 only when all of that went well.
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
)

func main() {
	program := flag.String("program", "bin/vivarium", "the built program")
	stay := flag.Bool("stay", false, "leave what was raised")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *program, *stay)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nbootstrap-demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program string, stay bool) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "vivarium-bootstrap-demo-")
	if err != nil {
		return err
	}
	p, err := bootstrap.New(ctx, dir, program, os.Stderr)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	err = raise(ctx, p)
	if err == nil && stay {
		fmt.Printf("\nIt stays. To destroy it:\n  %s\n", strings.Join(p.Destroy(ctx).Args, " "))
		return nil
	}
	// Also after a failure, since what was raised should not be left behind.
	err = errors.Join(err, lower(context.WithoutCancel(ctx), p))
	if err != nil {
		return fmt.Errorf("%w; what is left is in %s", err, dir)
	}
	return os.RemoveAll(dir)
}

func raise(ctx context.Context, p *bootstrap.Place) error {
	for _, cmd := range []*exec.Cmd{
		p.Bootstrap(ctx),
		p.Command(ctx, "env", "list", "--server", p.API()),
		p.Command(ctx, "env", "show", bootstrap.Further, "--server", p.API()),
		p.Command(ctx, "env", "plan", "meta", "--data-dir", p.Data()),
	} {
		if err := show(cmd); err != nil {
			return err
		}
	}
	return nil
}

func lower(ctx context.Context, p *bootstrap.Place) error {
	further := p.Command(ctx, "env", "show", bootstrap.Further, "--server", p.API())
	if further.Run() == nil {
		if err := show(p.Command(ctx, "env", "destroy", bootstrap.Further, "--yes", "--wait", "--data-dir", p.Data())); err != nil {
			return err
		}
	}
	if err := show(p.Destroy(ctx)); err != nil {
		return err
	}
	left, err := p.Left()
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("processes are left: %q", left)
	}
	return err
}

// show runs a command before everybody's eyes. An interrupt reaches it by itself, as it is of the same terminal.
func show(cmd *exec.Cmd) error {
	fmt.Printf("\n$ vivarium %s\n", strings.Join(cmd.Args[1:], " "))
	cmd.Stdout, cmd.Stderr, cmd.Stdin = os.Stdout, os.Stderr, os.Stdin
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd.Run()
}
