// Command generate writes the files below schemas/, and the comments that package schema embeds, from the Go code.
// With -check it changes nothing and fails when a file differs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/schemas/internal/build"
)

func main() {
	check := flag.Bool("check", false, "change nothing; fail when a file differs")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(check bool) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	if !check {
		return build.Write(root)
	}
	different, err := build.Differences(root)
	if err != nil {
		return err
	}
	if len(different) > 0 {
		return fmt.Errorf("not what the code says: %q; run go generate ./schemas", different)
	}
	return nil
}

// moduleRoot is the folder with go.mod at or above the current one.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("run this inside of the module")
		}
		dir = parent
	}
}
