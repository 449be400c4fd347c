package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/cluster/signal"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func (s *instance) startSignals(ctx context.Context) (err error) {
	s.signals, err = signal.New(s.id, signal.Options{Bus: s.bus, Tell: s.signal, Heard: s.heardSignal, Report: s.heardReport, Log: s.log.With("part", "signals")})
	if err != nil {
		return err
	}
	return s.signals.Start(ctx)
}

func (s *instance) stopSignals(ctx context.Context) error { return s.signals.Stop(ctx) }

// side tells the sides of a cluster apart: the servers of one have the same store.
func (s *instance) side() string {
	info, host := s.store.Info(), ""
	if info.Driver == "sqlite" {
		host, _ = os.Hostname()
		info.Address, _ = filepath.Abs(info.Address)
	}
	sum := sha256.Sum256([]byte(info.Driver + "\n" + host + "\n" + info.Address))
	return hex.EncodeToString(sum[:8])
}

// signal is what this server says of itself.
func (s *instance) signal(ctx context.Context) (e event.Signal, err error) {
	e = event.Signal{Cluster: s.settings.PrimaryClusterName, Side: s.side(), Server: s.id, Role: string(s.role()), Epoch: s.epoch, Time: time.Now().UTC(),
		Version: version, API: s.ownAddress(), Owned: s.owned()}
	if s.offerFrom.After(e.Time) {
		e.OfferFrom = &s.offerFrom
	}
	if e.Positions, err = s.positions(ctx); err != nil {
		return e, err
	}
	if !s.settings.Primary || s.source == nil {
		return e, nil
	}
	if a := s.authority(); a != nil && !a.Acts {
		e.MayNotAct = a.Words()
	}
	for _, p := range s.source.Peers() {
		e.Secondaries = append(e.Secondaries, event.SecondarySignal{Cluster: p.Cluster, Server: p.Server, Connected: p.Connected,
			Known: p.Lag.Known, Entries: p.Lag.Entries, Seconds: p.Lag.Seconds})
	}
	return e, nil
}

// heardSignal follows what another server of this side does: the role is that of the side.
func (s *instance) heardSignal(e event.Signal) {
	if e.Cluster != s.settings.PrimaryClusterName || e.Side != s.side() {
		return
	}
	s.companions.hear(e)
	switch primary := e.Role == string(wire.Primary); {
	case e.StepsDown && s.settings.Primary && e.Epoch == s.epoch:
		go s.stepAside(e.Address)
	case primary && !s.settings.Primary && !e.StepsDown && !e.Leaving:
		go s.join(e)
	}
}

// stepAside ends this server's work, since another server of its side hands over: that one drains all partitions.
func (s *instance) stepAside(address string) {
	s.roles.Lock()
	defer s.roles.Unlock()
	if !s.up.Load() || s.aside || s.draining.Load() {
		return
	}
	s.aside = true
	s.log.Warn("this side steps down, by another of its servers: this one ends its work")
	ctx, cancel := context.WithTimeout(context.Background(), min(s.settings.StopTimeout, mostDrain))
	defer cancel()
	if err := s.orchestrator.Yield(ctx); err != nil {
		s.log.Warn("commands could not be left alone", "error", err)
	}
	if err := s.work.Stop(ctx); err != nil {
		s.log.Warn("not everything could finish; it is in doubt for the other side", "error", err)
	}
	go s.afterwards(address)
}

// join has this server become a primary beside the one of its side that has taken over.
func (s *instance) join(e event.Signal) {
	s.roles.Lock()
	defer s.roles.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	epoch, err := s.store.Epoch(ctx)
	if err != nil || s.aside || s.draining.Load() || e.Epoch < max(epoch, s.roleEpoch, s.epoch) {
		return
	}
	s.aside = true
	s.log.Warn("another server of this side has taken over: this one acts beside it", "server", e.Server, "epoch", e.Epoch)
	r := role{Primary: true, Epoch: e.Epoch, Since: time.Now().UTC(), Why: "another server of this side took over: " + e.Server, Other: s.other}
	if e.OfferFrom != nil {
		r.OfferFrom = *e.OfferFrom
	}
	s.acceptAgain(ctx)
	if err := s.become(r); err != nil {
		s.log.Error("the role can't be written", "error", err)
	}
}

// reported passes on what a secondary says of itself: it says it to one server of this side only. Who is counted, the others see in the store.
func (s *instance) reported(r replication.Report) {
	if !s.up.Load() {
		return
	}
	if len(s.companions.all()) > 0 || time.Since(s.begun) < companion {
		s.signals.Pass(r)
	}
}

// heardReport takes what a secondary has said to another server of this side.
func (s *instance) heardReport(data json.RawMessage) {
	var r replication.Report
	if !s.settings.Primary || s.source == nil || json.Unmarshal(data, &r) != nil || len(r.Positions) > s.settings.Partitions {
		return
	}
	s.source.Hear(r)
	if !r.AsOf.IsZero() {
		s.heardSecondary(r)
	}
}
