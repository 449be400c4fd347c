package draw

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/draw/drawtest"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func code(err error) fault.Code { return fault.From(err).Code }

func TestPictures(t *testing.T) {
	d := New(Options{Program: drawtest.Program(t), Cache: filepath.Join(t.TempDir(), "draw")})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			svg, err := d.SVG(context.Background(), fmt.Sprintf("digraph x { a [id=n0 label=\"number %d\"] b; a -> b }", i))
			if err == nil && !strings.Contains(string(svg), fmt.Sprint(">number ", i, "<")) {
				err = fmt.Errorf("not the picture that was asked for: %s", svg)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, err := d.SVG(context.Background(), "digraph {")
	require.Equal(t, fault.Internal, code(err))
	require.Contains(t, fmt.Sprintf("%+v", err), "graph could not be drawn")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = d.SVG(ctx, "digraph {}")
	require.Equal(t, fault.Cancelled, code(err))
}

// script is a program for what no real one does on demand.
func script(t *testing.T, text string) *Drawer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "draw.sh")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700)) //nolint:gosec // it has to be run
	return New(Options{Program: path, Cache: t.TempDir(), Time: time.Hour})
}

func TestTakesTooLong(t *testing.T) {
	d := script(t, "exec sleep 1000")
	d.options.Time = 50 * time.Millisecond
	_, err := d.SVG(context.Background(), "digraph {}")
	require.Equal(t, fault.Timeout, code(err))
	require.Contains(t, fault.From(err).Message, "takes too long")
}

func TestTooLargeAndFailing(t *testing.T) {
	_, err := script(t, "exec cat /dev/zero").SVG(context.Background(), "digraph {}")
	require.Equal(t, fault.Invalid, code(err))
	require.Contains(t, fault.From(err).Message, "64 MiB")
	_, err = script(t, "echo no graph >&2; exit 3").SVG(context.Background(), "digraph {}")
	require.Equal(t, fault.Internal, code(err))
	require.NotContains(t, fault.From(err).Message, "no graph", "what a program says is for the log")
	require.ErrorContains(t, fault.From(err).Unwrap(), "no graph")
	missing := New(Options{Program: filepath.Join(t.TempDir(), "none"), Cache: t.TempDir()})
	_, err = missing.SVG(context.Background(), "digraph {}")
	require.Equal(t, fault.Internal, code(err))
}

// TestNothingOfTheEnvironment: the server's variables may hold passwords.
func TestNothingOfTheEnvironment(t *testing.T) {
	t.Setenv("VIVARIUM_BUS", "amqp://user:password@host")
	out, err := script(t, "env").SVG(context.Background(), "digraph {}")
	require.NoError(t, err)
	require.NotContains(t, string(out), "password")
	require.Contains(t, string(out), "TMPDIR=")
}
