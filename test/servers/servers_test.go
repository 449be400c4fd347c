package servers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// envDir makes this test program start a broker there and wait to be killed.
const envDir = "VIVARIUM_SERVERS_TEST_DIR"

// children are what this test program does instead of testing when the variable names a folder; they never return.
var children = map[string]func(dir string){}

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDockerDir); dir != "" {
		dockerChild(dir)
	}
	for variable, run := range children {
		if dir := os.Getenv(variable); dir != "" {
			run(dir)
		}
	}
	if dir := os.Getenv(envDir); dir != "" {
		r, err := StartRabbitMQ(context.Background(), dir)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(r.Address(), fmt.Sprint("127.0.0.1:", r.epmd), fmt.Sprint("127.0.0.1:", r.dist))
		select {}
	}
	Main(m)
}

func answers(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// gone waits until nothing listens.
func gone(t *testing.T, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		require.Eventually(t, func() bool { return !answers(address) }, 20*time.Second, 10*time.Millisecond, address)
	}
}

func TestRabbitMQ(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, InstallRabbitMQ(ctx, os.Stderr))
	r, err := StartRabbitMQ(ctx, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Kill()) }()
	require.Regexp(t, `^\d+\.\d+\.\d+`, r.Version())
	require.True(t, answers(r.Address()))
	url := r.URL()

	require.NoError(t, r.Pause())
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	require.ErrorIs(t, r.ready(short), context.DeadlineExceeded, "a paused broker does not answer")
	require.NoError(t, r.Resume())
	require.NoError(t, r.ready(ctx))

	require.NoError(t, r.Kill())
	gone(t, r.Address(), fmt.Sprint("127.0.0.1:", r.epmd), fmt.Sprint("127.0.0.1:", r.dist))
	require.Error(t, r.Pause())
	require.NoError(t, r.Start(ctx))
	require.NoError(t, r.Start(ctx), "it runs already")
	require.NoError(t, r.Restart(ctx))
	require.Equal(t, url, r.URL())
	require.True(t, answers(r.Address()))
	require.NoError(t, r.Stop(ctx))
	require.NoError(t, r.Stop(ctx), "stopping twice")
	gone(t, r.Address(), fmt.Sprint("127.0.0.1:", r.epmd))
}

// TestNothingOutlives kills a process that runs a broker; the broker and its port mapper end with it.
func TestNothingOutlives(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, InstallRabbitMQ(ctx, os.Stderr))
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), envDir+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	addresses := strings.Fields(line)
	require.Len(t, addresses, 3, line)
	for _, address := range addresses {
		require.True(t, answers(address), address)
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	gone(t, addresses...)
}

// TestStartFails: a broker that can't start says why, and leaves nothing.
func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = StartRabbitMQ(ctx, t.TempDir(), RabbitMQOptions{Port: taken.Addr().(*net.TCPAddr).Port})
	require.ErrorContains(t, err, "eaddrinuse")
}

func TestOpenTofu(t *testing.T) {
	var progress bytes.Buffer
	path, err := OpenTofu(t.Context(), &progress)
	require.NoError(t, err)
	t.Log(progress.String())
	out, err := exec.CommandContext(t.Context(), path, "version").Output()
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(out), "\n")
	o := pinnedOpenTofu()
	require.NoError(t, o.locate())
	require.Equal(t, "OpenTofu v"+o.version, first, "the pinned version, and no development build")

	progress.Reset()
	again, err := OpenTofu(t.Context(), &progress)
	require.NoError(t, err)
	require.Equal(t, path, again)
	require.Empty(t, progress.String(), "built once")
}

func TestOpenTofuFromPath(t *testing.T) {
	dir := t.TempDir()
	terraform, tofu := filepath.Join(dir, "terraform"), filepath.Join(dir, "tofu")
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, program := range []string{terraform, tofu} { // tofu is preferred once it is there
		require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
		path, err := OpenTofu(t.Context(), os.Stderr, PreferPath())
		require.NoError(t, err)
		require.Equal(t, program, path)
	}
	path, err := OpenTofu(t.Context(), os.Stderr)
	require.NoError(t, err)
	require.NotEqual(t, tofu, path)
}

func TestOutsideACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := OpenTofu(t.Context(), os.Stderr)
	require.ErrorContains(t, err, "checkout")
}

// TestLock: the second waits for the first, and for no longer than it is told.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), path)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = lockFile(short, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	unlock()
	unlock, err = lockFile(t.Context(), path)
	require.NoError(t, err)
	unlock()
}
