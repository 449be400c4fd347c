package main

import (
	"context"
	"errors"
	"net"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (s *instance) startAPI(ctx context.Context) (err error) {
	if s.apiRoots, err = readRoots(s.settings.ListenCAFile, "the API"); err != nil {
		return err
	}
	shows, err := listenerTLS(s.settings, s.log.With("part", "api"))
	if err != nil {
		return err
	}
	s.api, err = api.New(api.Options{
		Listen: s.settings.Listen, TLS: shows, RateLimit: s.settings.RateLimit, Store: s.store, Templates: templateSource{s.catalogue}, Info: s.info,
		Checks: s.checks(), Ready: s.ready, Started: s.up.Load, Log: s.log.With("part", "api"),
		Runners: s.runnersHeard(), Pools: s.poolsAsked, Usage: s.usage(), Follows: s.follows,
		Replication: s.replicationHandler(), Lag: s.lag(), Held: s.held, Cluster: s.cluster, Draw: s.draws(), Impact: s.impact(),
		Beside: s.givesBack(),
	})
	if err != nil {
		return err
	}
	return s.api.Start(ctx)
}

// runnersHeard is nil in a secondary, which hears none.
func (s *instance) runnersHeard() func() []event.Alive {
	if !s.settings.Primary {
		return nil
	}
	return func() []event.Alive {
		if !s.up.Load() {
			return nil
		}
		return s.orchestrator.Status().Runners
	}
}

// usage is nil in a secondary, which measures nothing.
func (s *instance) usage() func(context.Context, string, string) (event.Usage, error) {
	if !s.settings.Primary {
		return nil
	}
	return func(ctx context.Context, environment, address string) (event.Usage, error) {
		if !s.up.Load() {
			return event.Usage{}, fault.New(fault.Wait, fault.NotMeasured, "the server is still starting")
		}
		return s.orchestrator.Usage(ctx, environment, address)
	}
}

// follows tells whether a runner that is there follows what the resources of a kind print.
func (s *instance) follows(kind string) bool {
	if !s.settings.Primary || !s.up.Load() {
		return false
	}
	return slices.ContainsFunc(s.orchestrator.Status().Runners, func(a event.Alive) bool { return slices.Contains(a.Follows, kind) })
}

// poolsAsked are the pools that should have runners.
func (s *instance) poolsAsked() []string {
	if !s.settings.Primary || !s.up.Load() {
		return nil
	}
	return s.orchestrator.Status().Pools
}

// stopAPI ends the streams of secondaries first, which the API would wait for.
func (s *instance) stopAPI(ctx context.Context) error {
	if s.source != nil {
		s.source.Leave()
	}
	return s.api.Stop(ctx)
}

// apiURL is where this machine finds the API: an address for all interfaces is reached over the loopback.
func (s *instance) apiURL() string {
	host, port, err := net.SplitHostPort(s.api.Addr())
	if err != nil {
		return s.scheme() + s.api.Addr()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return s.scheme() + net.JoinHostPort(host, port)
}

// scheme is what addresses of the API begin with.
func (s *instance) scheme() string { return schemeOf(s.settings) }

func schemeOf(s config.Settings) string {
	if s.ListenCertFile != "" {
		return "https://"
	}
	return "http://"
}

func (s *instance) role() api.Role {
	if s.settings.Primary {
		return api.Primary
	}
	return api.Secondary
}

func (s *instance) info() api.Info {
	info := api.Info{
		Name: "vivarium", Version: version, Commit: commit(), GoVersion: runtime.Version(), ServerID: s.id,
		Cluster: s.settings.PrimaryClusterName, Role: s.role(), Epoch: s.epoch, Store: s.store.Info(), Consul: s.consul.info(),
		StartedAt: s.begun, Partitions: []int{}, PartitionCount: s.settings.Partitions, Authority: s.authority(),
	}
	if s.bus == nil {
		info.Bus = bus.Status{Driver: "none", Since: s.begun}
	} else {
		info.Bus = s.bus.Status()
	}
	if !s.settings.Primary {
		info.Replication = s.following()
	}
	if s.up.Load() && s.orchestrator != nil {
		info.Partitions = s.orchestrator.Status().Owned
	}
	return info
}

// commit is what the program was built from, when the build knew.
func commit() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}

func (s *instance) checks() []api.Check {
	checks := []api.Check{{Name: "store", Required: true, Probe: func(ctx context.Context) error {
		_, err := s.store.Epoch(ctx)
		return err
	}}}
	if !s.settings.Primary {
		return checks
	}
	checks = append(checks, api.Check{Name: "bus", Required: true, Probe: func(context.Context) error { return busTrouble(s.bus.Status()) }})
	checks = append(checks, api.Check{Name: "authority", Probe: s.checkAuthority})
	if s.settings.Runner.Enabled {
		checks = append(checks, api.Check{Name: "runner", Probe: func(context.Context) error {
			if !s.up.Load() || !s.runner.Status().Ready {
				return errors.New("the embedded runner takes no tasks")
			}
			return nil
		}}, api.Check{Name: "terraform", Probe: func(context.Context) error { return s.kit.terraformTrouble }})
	}
	return checks
}

func busTrouble(status bus.Status) error {
	switch {
	case status.Connected:
		return nil
	case status.Error != "":
		return errors.New(status.Error)
	default:
		return errors.New("not connected")
	}
}
