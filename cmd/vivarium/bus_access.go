package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
)

// busAccess is what it takes to be let in to a bus, and to trust it, beyond its address. The zero value is what the address says, and
// the system's roots.
type busAccess struct {
	login *busLogin
	roots string // in PEM
}

// readRoots reads certificates; "" is none.
func readRoots(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usage("the roots for the broker's certificate can't be read: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return "", usage("%s has no certificate in PEM, with which the broker's could be checked", file)
	}
	return string(text), nil
}

// tls is nil where the system's roots do.
func (a busAccess) tls() *tls.Config {
	if a.roots == "" {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(a.roots))
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// dialBus connects a server to a broker.
func (s *instance) dialBus(ctx context.Context, log *slog.Logger) (err error) {
	if s.busAccess.roots, err = readRoots(s.settings.BusCAFile); err != nil {
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
