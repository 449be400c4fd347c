package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const loudLines = 1_000_000

// slowReaders lets a step write a million lines while ten readers of its live stream read one buffer a second each, and
// prints the most memory that the server had.
func slowReaders(ctx context.Context, r *report) error {
	return inFolder(func(dir string) (err error) {
		binary, err := build(ctx, dir)
		if err != nil {
			return err
		}
		loud := fmt.Sprintf("template \"loud\" {\n  version = \"1.0.0\"\n}\naction \"shout\" {\n  command = [\"seq\", \"-f\", \"line %%.0f of many, about as long as lines of logs are\", \"%d\"]\n}\n", loudLines)
		if err := os.MkdirAll(filepath.Join(dir, "catalogue", "loud"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "catalogue", "loud", "template.hcl"), []byte(loud), 0o644); err != nil {
			return err
		}
		p := &process{data: filepath.Join(dir, "data")}
		p.cmd = exec.Command(binary, "server", "--primary", "--data-dir", p.data, "--catalogue", filepath.Join(dir, "catalogue"), "--listen", "127.0.0.1:0", "--log-level", "error")
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := p.cmd.Start(); err != nil {
			return err
		}
		defer func() { _ = p.cmd.Process.Signal(os.Interrupt); err = errors.Join(err, p.cmd.Wait()) }()
		if err := until(ctx, 30*time.Second, "the server is not ready", func() bool { return p.get("self/readiness", nil) == nil }); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		done := make(chan error, 1)
		start := time.Now()
		go func() {
			out, err := exec.CommandContext(ctx, binary, "env", "create", "noise", "--template", "loud", "--wait", "--data-dir", p.data).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("create: %w: %s", err, out)
			}
			done <- err
		}()
		for range 10 {
			go readSlowly(ctx, p)
		}
		most := 0.0
		for {
			select {
			case err := <-done:
				r.row("a step writes 1,000,000 lines, 10 slow readers", fmt.Sprintf("%.0f MB resident at most, %.1f s", most, time.Since(start).Seconds()), "bounded")
				return err
			case <-time.After(100 * time.Millisecond):
				now, err := resident(p.cmd.Process.Pid)
				if err != nil {
					return err
				}
				most = max(most, now)
			}
		}
	})
}

// readSlowly follows the step's lines at 64 KiB a second.
func readSlowly(ctx context.Context, p *process) {
	for ctx.Err() == nil {
		api, err := p.api()
		if err != nil {
			return
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/api/v1/environments/noise/steps/loud.action.shout/logs", nil)
		if err != nil {
			return
		}
		request.Header.Set("Accept", "text/event-stream")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return
		}
		if answer.StatusCode == http.StatusOK {
			lines := bufio.NewReaderSize(answer.Body, 64<<10)
			for ctx.Err() == nil {
				if _, err := lines.Peek(1); err != nil {
					break
				}
				_, _ = lines.Discard(lines.Buffered())
				pause(ctx, time.Second)
			}
		}
		_ = answer.Body.Close()
		pause(ctx, 50*time.Millisecond) // the environment is not there yet
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
