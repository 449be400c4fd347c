package main

import (
	"context"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// authority is whether this side may act, and what a person can do when it may not; nil where nobody is ever asked, and
// there is nothing to warn of.
func (s *instance) authority() *wire.Authority {
	if !s.settings.Primary || s.source == nil {
		return nil
	}
	if err := s.rival.trouble(s.epoch); err != nil {
		return &wire.Authority{Reason: fault.From(err).Message, Asked: []string{}, Do: []string{}}
	}
	warnings := s.warnings()
	if s.settings.Cluster.Lease <= 0 {
		if len(warnings) == 0 {
			return nil
		}
		return &wire.Authority{Acts: true, Asked: []string{}, Warnings: warnings}
	}
	may := s.mayAct
	if s.up.Load() && s.orchestrator != nil {
		may = s.orchestrator.MayAct // other servers of this side may know more
	}
	now := time.Now()
	left, always, err := may(now)
	a := &wire.Authority{Acts: err == nil, Needs: s.lease.Needs(), Asked: s.lease.Members(), Warnings: warnings}
	switch {
	case err != nil:
		a.Reason, a.Do = fault.From(err).Message, s.remedies()
	case !always:
		until := now.Add(left).UTC()
		a.Until = &until
	}
	return a
}

// remedies are the commands that give up the secondaries which are not heard.
func (s *instance) remedies() []string {
	heard := map[string]bool{}
	for _, p := range s.source.Peers() {
		heard[p.Cluster+"/"+p.Server] = p.Connected
	}
	all := []string{}
	for _, m := range s.lease.Members() {
		if _, server, _ := strings.Cut(m, "/"); !heard[m] {
			all = append(all, "vivarium cluster forget "+server)
		}
	}
	return all
}

// held is why no step of this side is begun, for those who read what waits; nil while steps are.
func (s *instance) held() *environment.Reason {
	a := s.authority()
	if a == nil || a.Acts {
		return nil
	}
	return &environment.Reason{Code: environment.BecauseAuthority, Detail: a.Words()}
}

// checkAuthority is for the health of this server: what it shows is as good as ever, but nothing is done.
func (s *instance) checkAuthority(context.Context) error {
	if a := s.authority(); a != nil && !a.Acts {
		return fault.New(fault.Wait, fault.AuthorityLost, "%s", a.Words())
	}
	return nil
}
