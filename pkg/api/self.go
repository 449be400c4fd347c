package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// probeTime is what one check is given.
const probeTime = 2 * time.Second

const (
	up       = "up"
	down     = "down"
	degraded = "degraded"
)

func (s *Server) root(k *call) error {
	return k.echo.String(http.StatusOK, where())
}

func (s *Server) doc(k *call) error {
	document, err := ownDocument()
	if err != nil {
		return err
	}
	return k.echo.Blob(http.StatusOK, mimeJSON, document)
}

func (s *Server) info(k *call) error {
	info := s.options.Info()
	if info.Uptime == 0 && !info.StartedAt.IsZero() {
		info.Uptime = time.Since(info.StartedAt)
	}
	if info.Partitions == nil {
		info.Partitions = []int{}
	}
	return k.answer(info)
}

func (s *Server) ping(k *call) error {
	return k.answer(wire.Ping{Ping: "pong", Time: time.Now().UTC()})
}

func (s *Server) liveliness(k *call) error {
	health, _ := s.health(k.context())
	if k.text("type") == "summary" {
		health = wire.Health{Status: health.Status}
	}
	return k.answer(health)
}

func (s *Server) readiness(k *call) error {
	health, failed := s.health(k.context())
	switch {
	case !s.options.Started():
		return unavailable(health.Checks, "the server is still starting")
	case len(failed) > 0:
		return unavailable(health.Checks, "not ready: %s", strings.Join(failed, ", "))
	case !s.options.Ready():
		return unavailable(health.Checks, "the server is not ready")
	}
	return k.answer(health)
}

func (s *Server) started(k *call) error {
	if !s.options.Started() {
		return unavailable(nil, "the server is still starting")
	}
	return k.answer(wire.Started{Started: true})
}

func unavailable(checks []wire.CheckResult, format string, args ...any) error {
	return &problemError{status: http.StatusServiceUnavailable, checks: checks,
		cause: fault.New(fault.Wait, fault.Unavailable, format, args...)}
}

// health runs all checks at once. Failed names the required ones that fail.
func (s *Server) health(ctx context.Context) (h wire.Health, failed []string) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	h = wire.Health{Status: up, Checks: make([]wire.CheckResult, len(s.options.Checks))}
	var running sync.WaitGroup
	for i, check := range s.options.Checks {
		running.Go(func() { h.Checks[i] = probe(ctx, check) })
	}
	running.Wait()
	s.addRunners(&h)
	for _, result := range h.Checks {
		if result.Status == up {
			continue
		}
		h.Status = degraded
		if result.Required {
			failed = append(failed, result.Name+": "+result.Error)
		}
	}
	return h, failed
}

// probe runs one check. A check that panics, or does not return in time, has failed; what it does later is lost.
func probe(ctx context.Context, check Check) wire.CheckResult {
	begin := time.Now()
	outcome := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				outcome <- fmt.Errorf("the check panicked: %v", p)
			}
		}()
		outcome <- check.Probe(ctx)
	}()
	result := wire.CheckResult{Name: check.Name, Required: check.Required, Status: up}
	var err error
	select {
	case err = <-outcome:
	case <-ctx.Done():
		err = fault.New(fault.Wait, fault.Timeout, "no answer within %s", probeTime)
	}
	if err != nil {
		result.Status, result.Error = down, fault.From(err).Message
	}
	result.Took = time.Since(begin)
	return result
}
