package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/orchestrator"
)

func (s *instance) startOrchestrator(ctx context.Context) (err error) {
	if !s.settings.Primary {
		s.log.Info("this server is a secondary: it serves reads and takes no commands", "primary", s.settings.PrimaryClusterName)
		return nil
	}
	s.orchestrator, err = orchestrator.New(orchestrator.Options{
		Server: s.id, Cluster: s.settings.PrimaryClusterName, Epoch: s.epoch, Partitions: s.settings.Partitions,
		Pools: s.settings.Runner.Pools, Policy: environment.Policy{
			Parallelism: s.settings.Parallelism, Warnings: s.settings.DestroyWarnings, OnlyLooks: s.drill, AcceptWithin: s.accepts,
		},
		Store: s.store, Bus: s.bus, Catalogue: s.catalogue, Kinds: s.kit.kinds, Box: s.box,
		DriftEvery: s.settings.DriftInterval,
		ScratchDir: s.path("scratch"), Authority: s.mayAct, Kept: s.kept(), OfferFrom: s.offerFrom, Log: s.log.With("part", "orchestrator"),
	})
	if err != nil {
		return err
	}
	return s.orchestrator.Start(ctx)
}

func (s *instance) stopOrchestrator(ctx context.Context) error {
	if s.orchestrator == nil {
		return nil
	}
	return s.orchestrator.Stop(ctx)
}

func (s *instance) startRunner(ctx context.Context) (err error) {
	if !s.settings.Primary || !s.settings.Runner.Enabled {
		return nil
	}
	s.runner, err = s.kit.runner(s.bus, s.box)
	if err != nil {
		return err
	}
	s.serving = s.kit.serving(s.runner)
	return s.serving.Start(ctx)
}

func (s *instance) stopRunner(ctx context.Context) error {
	if s.serving == nil {
		return nil
	}
	return s.serving.Stop(ctx)
}

// announced is what commands on this machine find the server by, once it is there.
type announced struct {
	mu   sync.Mutex
	what *discovery
}

// announce lets commands on this machine find the server.
func (s *instance) announce(context.Context) error {
	s.announced.mu.Lock()
	defer s.announced.mu.Unlock()
	s.announced.what = &discovery{
		API: s.apiURL(), APICA: s.apiRoots, Bus: s.busAccess.login.address(s.busURL), BusCA: s.busAccess.roots, PID: os.Getpid(), Cluster: s.settings.PrimaryClusterName,
		Primary: s.settings.Primary, Version: version, Started: time.Now().UTC(),
	}
	return writeDiscovery(s.dir, *s.announced.what)
}

// announceBus is called when the credentials of the bus have changed.
func (s *instance) announceBus() {
	s.announced.mu.Lock()
	defer s.announced.mu.Unlock()
	if s.announced.what == nil {
		return
	}
	s.announced.what.Bus = s.busAccess.login.address(s.busURL)
	if err := writeDiscovery(s.dir, *s.announced.what); err != nil {
		s.log.Warn("commands on this machine may not find the bus", "error", err)
	}
}

func (s *instance) withdraw(context.Context) error {
	s.announced.mu.Lock()
	defer s.announced.mu.Unlock()
	s.announced.what = nil
	return removeDiscovery(s.dir)
}
