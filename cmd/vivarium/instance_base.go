package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// newID names a process anew with every start.
func newID(prefix string) string {
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s-%s-%s", prefix, host, hex.EncodeToString(random))
}

func (s *instance) openKey() (err error) {
	if s.settings.Key != "" {
		s.key, err = base64.StdEncoding.DecodeString(s.settings.Key)
	} else {
		s.key, err = secret.LoadKey(s.path("key"))
	}
	if err != nil {
		return err
	}
	if s.settings.Key == "" {
		if adopted, err := s.adoptedKey(); err != nil || adopted != nil {
			s.box = adopted
			return err
		}
	}
	s.box, err = secret.NewBox(s.key)
	return err
}

// derived is a key for another purpose, from which the cluster's key can't be found.
func (s *instance) derived(purpose string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("vivarium/" + purpose))
	return mac.Sum(nil)
}

func (s *instance) openStore(ctx context.Context) (err error) {
	if s.settings.Store, err = s.consul.store(ctx, s.settings.Store); err != nil {
		return err
	}
	if s.store, err = openStore(ctx, s.settings, s.path("store.db"), true, s.vars, s.log.With("part", "store")); err != nil {
		return err
	}
	if s.epoch, err = s.store.Epoch(ctx); err != nil {
		return errors.Join(err, s.store.Close())
	}
	s.epoch = max(s.epoch, 1)
	return nil
}

func (s *instance) closeStore(context.Context) error { return s.store.Close() }

// openBus connects. A secondary answers there that it takes no commands.
func (s *instance) openBus(ctx context.Context) (err error) {
	log := s.log.With("part", "bus")
	switch {
	case s.settings.Bus != "embedded":
		if s.busURL, err = s.consul.bus(ctx, s.settings.Bus); err != nil {
			return err
		}
		return s.dialBus(ctx, log)
	}
	token, err := s.token()
	if err != nil {
		return err
	}
	s.embedded, err = nats.StartEmbedded(ctx, nats.EmbeddedOptions{
		Dir: s.path("bus"), Listen: "127.0.0.1:0", Token: token, EncryptionKey: hex.EncodeToString(s.derived("bus")), Log: log,
	})
	if err != nil {
		return err
	}
	if s.bus, err = asBus[bus.Bus](s.embedded.Bus(ctx)); err != nil {
		return errors.Join(err, s.embedded.Stop(ctx))
	}
	s.busURL = s.embedded.ClientURL()
	return nil
}

func (s *instance) closeBus(ctx context.Context) error {
	if s.bus == nil {
		return nil
	}
	err := errors.Join(s.bus.Close(ctx), s.busAccess.login.stop(ctx))
	if s.embedded != nil {
		err = errors.Join(err, s.embedded.Stop(ctx))
	}
	return err
}

// token is what clients of the embedded bus show; it stays over restarts, so that runners find back.
func (s *instance) token() (string, error) {
	file := s.path("bus-token")
	text, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(text)) != "" {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	token := rand.Text()
	return token, writePrivate(file, []byte(token+"\n"))
}
