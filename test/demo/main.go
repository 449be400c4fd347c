// Command demo is `make demo-full`: it deploys the sample with real parts on real servers of its own, shows it, destroys it
// and proves that nothing is left. The exit code is 0 only when all of that went well.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"

	"github.com/vivarium-env/vivarium/test/stack"
)

func main() {
	program := flag.String("program", "bin/vivarium", "the built program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *program)
	stop()
	switch {
	case err == nil:
	case err == context.Canceled: // and nothing besides
		fmt.Fprintln(os.Stderr, "\ndemo: interrupted; nothing of it runs any more")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	checkout, err := os.Getwd()
	if err != nil {
		return err
	}
	colour := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	w := &stack.Walk{Program: program, Checkout: checkout, Out: os.Stdout, Colour: colour}
	return w.Run(ctx)
}
