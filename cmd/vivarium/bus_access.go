package main

import (
	"context"
	"log/slog"
)

// busAccess is what it takes to be let in to a bus, and to trust it, beyond its address. The zero value is what the address says, and
// the system's roots.
type busAccess struct {
	login *busLogin
	roots string // in PEM
	dial  dialer // nil: as usual
}

// dialBus connects a server to a broker.
func (s *instance) dialBus(ctx context.Context, log *slog.Logger) (err error) {
	if s.busAccess.roots, err = readRoots(s.settings.BusCAFile, "the broker"); err != nil {
		return err
	}
	if s.busAccess.login, err = newBusLogin(s.settings, s.vars, s.log); err != nil {
		return err
	}
	if err := s.busAccess.login.start(ctx, s.announceBus); err != nil {
		return err
	}
	if s.bus, err = dial(ctx, s.busURL, s.id, s.busAccess, log); err != nil {
		_ = s.busAccess.login.stopWithin() // the first error counts
	}
	return err
}
