package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/stack"
)

// TestTheSampleOnRealServers is `make demo-full` with the program under test: RabbitMQ, Consul, Vault, Docker, Traefik and
// OpenTofu; every claim that the demonstration makes is an error when it does not hold.
func TestTheSampleOnRealServers(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	require.NoError(t, err)
	out := &lockedBuffer{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	w := &stack.Walk{Program: program, Checkout: checkout, Out: out}
	err = w.Run(ctx)
	t.Logf("%s", out)
	require.NoError(t, err, "a server or runner that has found a race ends with an error, too")
}

// interrupter is a terminal at which somebody presses Ctrl-C on reading a text.
type interrupter struct {
	lockedBuffer
	text      string
	interrupt func()
}

func (i *interrupter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), i.text) {
		i.interrupt()
	}
	return i.lockedBuffer.Write(p)
}

// TestAnInterruptedDemonstrationLeavesNothing interrupts it when the environment is being made.
func TestAnInterruptedDemonstrationLeavesNothing(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "vd-")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	out := &interrupter{text: "accepted as", interrupt: cancel}
	w := &stack.Walk{Program: program, Checkout: checkout, Out: out, Temp: dir}
	require.Equal(t, context.Canceled, w.Run(ctx), "%s", out)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
