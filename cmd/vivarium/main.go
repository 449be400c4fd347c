package main

import (
	"context"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// version is set by the linker: -ldflags "-X main.version=...".
var version = "0.1.0-dev"

func main() {
	ctx, hard, release := signals(context.Background())
	c := &cli{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, variables: environ(os.Environ()), hard: hard,
		terminal: isTerminal, size: terminalSize, program: os.Args[0],
	}
	code := c.run(ctx, os.Args[1:])
	release()
	os.Exit(code)
}

// cli is what the process gives to its commands; tests give something else.
type cli struct {
	in        io.Reader
	out, err  io.Writer
	variables map[string]string
	// hard ends when running work is not to be waited for any longer.
	hard context.Context
	// program is how the user has called it, for hints.
	program  string
	terminal func(any) bool
	size     func(io.Writer) (width, height int)
}

func environ(list []string) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = v
	}
	return m
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalSize falls back to what every terminal can show.
func terminalSize(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 80, 24
}
