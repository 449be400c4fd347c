package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/telemetry"
)

// awaitHandover serves nothing but the place that a bootstrap hands its store to, until it has. A server whose store was
// handed over before starts at once.
func (c *cli) awaitHandover(ctx context.Context, settings config.Settings) (err error) {
	dir, err := filepath.Abs(settings.DataDir)
	if err != nil {
		return err
	}
	if handed, err := bootstrap.WasHanded(dir); err != nil || handed {
		return err
	}
	log, err := telemetry.NewLogger(c.err, settings.Log.Level, settings.Log.Format)
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(settings.Key)
	if err != nil || settings.Key == "" {
		return usage("--await-handover needs the cluster's key (VIVARIUM_KEY), under which the store that is handed over is sealed")
	}
	box, err := secret.NewBox(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	l, err := takeLock(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	s, err := openStore(ctx, settings, filepath.Join(dir, "store.db"), true, c.variables, log.With("part", "store"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	done := make(chan struct{})
	receiver := &bootstrap.Receiver{Key: box, Dir: dir, Store: s, Partitions: settings.Partitions, Done: func() { close(done) }}
	return serveUntil(ctx, settings, receiver, done, log)
}

// givesBack is the way back for a store that was handed over, nothing in any other server.
func (s *instance) givesBack() map[string]http.Handler {
	handed, err := bootstrap.WasHanded(s.dir)
	if err != nil {
		s.log.Warn("it can't be found out whether the store was handed over: a bootstrap will not get it back", "error", err)
	}
	if !handed {
		return nil
	}
	return map[string]http.Handler{bootstrap.BackPath: &bootstrap.Giver{Key: s.box, Store: s.store, Export: backup.Export{
		Cluster: s.settings.PrimaryClusterName, Partitions: s.settings.Partitions, Program: version, Logs: true,
	}}}
}

// serveUntil serves until done, and lets the last answer get through.
func serveUntil(ctx context.Context, settings config.Settings, handler http.Handler, done <-chan struct{}, log *slog.Logger) error {
	shows, err := listenerTLS(settings, log)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", settings.Listen)
	if err != nil {
		return fmt.Errorf("the API can't listen on %s: %w", settings.Listen, err)
	}
	address := schemeOf(settings) + listener.Addr().String()
	if shows != nil {
		listener = tls.NewListener(listener, shows)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Info("this server waits for a store to be handed over", "api", address)
	select {
	case <-done:
		err = nil
	case <-ctx.Done():
		err = ctx.Err()
	case err = <-ended:
		return err
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if stopped := server.Shutdown(closing); stopped != nil {
		err = errors.Join(err, stopped, server.Close())
	}
	<-ended // the end that Shutdown has brought about
	if err == nil {
		log.Info("the store was handed over")
	}
	return err
}
