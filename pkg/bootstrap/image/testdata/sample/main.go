// Command sample is what images of tests are made of: it says who runs it, and that it may write where an image's program may.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	for _, file := range []string{"/data/here", "/tmp/here"} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println(os.Getuid(), os.Getgid(), strings.Join(os.Args[1:], " "))
}
