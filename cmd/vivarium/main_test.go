package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopSharedConsul()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// fake is a cli whose streams are buffers.
type fake struct {
	*cli
	stdout, stderr *bytes.Buffer
}

func newFake(variables map[string]string) fake {
	if variables == nil {
		variables = map[string]string{}
	}
	f := fake{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	f.cli = &cli{
		in: &bytes.Buffer{}, out: f.stdout, err: f.stderr, variables: variables, hard: context.Background(),
		program: "vivarium", terminal: func(any) bool { return false },
		size: func(io.Writer) (int, int) { return 80, 24 },
	}
	return f
}
