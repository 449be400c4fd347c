// Command builder stands for Go in the image that the Containerfile begins with: a real one can't be had where no image can be pulled. It
// gives what was built already, by the same words and outside.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// built is where the image has the programs.
const built = "/built"

func main() {
	if slices.Equal(os.Args[1:], []string{"mod", "download"}) {
		return
	}
	if err := give(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func give() error {
	at := slices.Index(os.Args, "-o")
	if at < 0 || at+1 == len(os.Args) {
		return fmt.Errorf("%q is not what it knows", os.Args)
	}
	if _, err := os.Stat("cmd/vivarium/main.go"); err != nil {
		return fmt.Errorf("the sources are not there: %w", err)
	}
	to := os.Args[at+1]
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	programs, err := os.ReadDir(built)
	if err != nil {
		return err
	}
	for _, p := range programs {
		if err := copyFile(filepath.Join(built, p.Name()), filepath.Join(to, p.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
