package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// idle starts the real server, gives it 100 environments of 50 resources, and reads its resident memory once it has
// nothing to do.
func idle(ctx context.Context, r *report) error {
	return filled(ctx, nil, func(pid int, _ time.Duration, _ func(...string) ([]byte, error)) error {
		rss, err := settledMemory(ctx, pid)
		if err != nil {
			return err
		}
		r.row("idle server, 100 environments of 50 resources", fmt.Sprintf("%.0f MB resident", rss), "< 150 MB")
		return nil
	})
}

// filled starts the real server with further environment variables and 100 environments of 50 resources; it tells its
// process and how long filling took.
func filled(ctx context.Context, variables []string, measure func(pid int, took time.Duration, command func(...string) ([]byte, error)) error) error {
	return inFolder(func(dir string) (err error) {
		if err := writeTemplates(filepath.Join(dir, "catalogue")); err != nil {
			return err
		}
		binary, err := build(ctx, dir)
		if err != nil {
			return err
		}
		data := filepath.Join(dir, "data")
		server := exec.CommandContext(ctx, binary, "server", "--primary", "--data-dir", data, "--catalogue", filepath.Join(dir, "catalogue"),
			"--listen", "127.0.0.1:0", "--log-level", "error")
		server.Env = append(os.Environ(), variables...)
		server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		server.Stderr = os.Stderr
		out, err := server.StdoutPipe()
		if err != nil {
			return err
		}
		if err := server.Start(); err != nil {
			return err
		}
		defer func() { _ = server.Process.Signal(os.Interrupt); err = errors.Join(err, server.Wait()) }()
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			return fmt.Errorf("the server did not start: %w", err)
		}
		began := time.Now()
		if err := fill(ctx, binary, data); err != nil {
			return err
		}
		return measure(server.Process.Pid, time.Since(began), func(args ...string) ([]byte, error) {
			return exec.CommandContext(ctx, binary, append(args, "--data-dir", data)...).Output()
		})
	})
}

// fill creates the environments by the command line, a few at a time.
func fill(ctx context.Context, binary, data string) error {
	var wait sync.WaitGroup
	errs := make(chan error, 100)
	places := make(chan struct{}, 4)
	for i := range 100 {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			cmd := exec.CommandContext(ctx, binary, "env", "create", fmt.Sprintf("idle-%d", i), "--template", "fifty", "--wait", "--data-dir", data)
			if out, err := cmd.CombinedOutput(); err != nil {
				errs <- fmt.Errorf("create: %w: %s", err, out)
			}
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}

// settledMemory waits until the resident set has not changed by more than 1 MB for three seconds.
func settledMemory(ctx context.Context, pid int) (float64, error) {
	last, since := 0.0, time.Now()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && time.Since(since) < 3*time.Second; {
		now, err := resident(pid)
		if err != nil {
			return 0, err
		}
		if now > last+1 || now < last-1 {
			last, since = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return last, nil
}

func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(value)[0])
			return float64(kb) / 1024, err
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}
