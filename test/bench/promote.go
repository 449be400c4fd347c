package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/test/ports"
)

// promotedEnvironments are those that are deployed when their side is lost.
const promotedEnvironments = 1000

// promote kills the primary of two sides, has the secondary take over, and sends it a command.
func promote(ctx context.Context, r *report) error {
	return withStage(ctx, func(s *stage) error {
		took, err := s.promote(ctx)
		if err == nil {
			r.row(fmt.Sprintf("from promote to the first command taken, %d environments", promotedEnvironments), fmt.Sprintf("%.2f s", took.Seconds()), "< 5 s")
		}
		return err
	})
}

func (s *stage) promote(ctx context.Context) (took time.Duration, err error) {
	s.env = append(s.env, "VIVARIUM_REPLICATION_TOKEN=bench bench bench bench")
	east, err := s.side(ctx, "east", s.broker.URL(), "--primary")
	if err != nil {
		return 0, err
	}
	api, err := east.api()
	if err != nil {
		return 0, err
	}
	west, err := s.side(ctx, "west", "embedded", "--follow", api)
	if err != nil {
		return 0, err
	}
	if _, err := s.deploy(ctx, "single", promotedEnvironments); err != nil {
		return 0, err
	}
	token, err := s.run(ctx, west, "cluster", "token")
	if err != nil {
		return 0, err
	}
	if err := until(ctx, time.Minute, "the secondary does not have everything", west.live); err != nil {
		return 0, err
	}
	if err := east.cmd.Process.Kill(); err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := s.run(ctx, west, "cluster", "promote", "--token", token, "--force"); err != nil {
		return 0, err
	}
	_, err = s.run(ctx, west, "env", "create", "after", "--template", "single")
	return time.Since(start), err
}

// side starts a server with a runner, a store and a bus of its own.
func (s *stage) side(ctx context.Context, name, bus string, more ...string) (*process, error) {
	port, err := ports.One()
	if err != nil {
		return nil, err
	}
	p, err := s.startOn(bus, name, append([]string{"server", "--primary-cluster-name", "both", "--listen", fmt.Sprint("127.0.0.1:", port), "--data-dir", filepath.Join(s.dir, name),
		"--catalogue", filepath.Join(s.dir, "catalogue")}, more...)...)
	if err != nil {
		return nil, err
	}
	return p, until(ctx, 30*time.Second, name+" is not ready", func() bool { return p.get("self/readiness", nil) == nil })
}

// live tells whether the secondary has all that its primary is known to have.
func (p *process) live() bool {
	var c struct {
		Following struct {
			Counted bool
			State   string
			Lag     struct{ Entries uint64 }
		}
	}
	return p.get("cluster", &c) == nil && c.Following.State == "live" && c.Following.Lag.Entries == 0 && c.Following.Counted
}

// run is a command to one side.
func (s *stage) run(ctx context.Context, p *process, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, append(args, "--data-dir", p.data)...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
