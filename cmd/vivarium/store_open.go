package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/arango"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// openStore opens the store that the settings name; file is where SQLite's is unless they say, and alone says that nobody else writes
// that one.
func openStore(ctx context.Context, settings config.Settings, file string, alone bool, variables map[string]string, log *slog.Logger) (store.Store, error) {
	if strings.HasPrefix(settings.Store, "arangodb") {
		return asStore(openArango(ctx, settings, variables, log))
	}
	if p, ok := strings.CutPrefix(settings.Store, "sqlite:"); ok {
		file, alone = p, false
	}
	return asStore(sqlite.Open(ctx, sqlite.Options{Path: file, Alone: alone, LogRetention: settings.LogRetention, Log: log}))
}

// withSQLite works on the store in a file, which is made where there is none.
func withSQLite(ctx context.Context, file string, work func(store.Store) error) error {
	s, err := sqlite.Open(ctx, sqlite.Options{Path: file})
	if err != nil {
		return err
	}
	return errors.Join(work(s), s.Close())
}

// asStore keeps a nil pointer from becoming an interface that is not nil.
func asStore[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openArango(ctx context.Context, settings config.Settings, variables map[string]string, log *slog.Logger) (*arango.Store, error) {
	o, err := arango.ParseURL(settings.Store)
	if err != nil {
		return nil, err
	}
	o.LogRetention, o.Log = settings.LogRetention, log
	roots, err := readRoots(settings.StoreCAFile, "the store")
	if err != nil {
		return nil, err
	}
	o.TLS = trust(roots)
	if o.User == "" {
		o.User, o.Password = settings.StoreUser, settings.StorePassword
	} else if o.Password == "" {
		o.Password = settings.StorePassword
	}
	if settings.StoreVault != "" {
		if o.User, o.Password, err = storeCredentials(ctx, settings.StoreVault, variables); err != nil {
			return nil, err
		}
	}
	return arango.Open(ctx, o)
}

// storeCredentials reads user and password from a secret, with the variables that Vault's own tools read.
func storeCredentials(ctx context.Context, secret string, variables map[string]string) (user, password string, err error) {
	mount, path, ok := strings.Cut(secret, "/")
	if !ok || mount == "" || path == "" {
		return "", "", usage("store_vault has to be MOUNT/PATH, such as secret/vivarium/store")
	}
	c := vaultapi.DefaultConfig()
	c.Address = variables["VAULT_ADDR"]
	if ca := variables["VAULT_CACERT"]; ca != "" {
		if err := c.ConfigureTLS(&vaultapi.TLSConfig{CACert: ca}); err != nil {
			return "", "", usage("VAULT_CACERT can't be read: %w", err)
		}
	}
	client, err := vaultapi.NewClient(c)
	if err != nil {
		return "", "", fault.Wrap(err, fault.GiveUp, fault.Unavailable, "Vault can't be used for the store's credentials; check VAULT_ADDR")
	}
	client.SetToken(variables["VAULT_TOKEN"])
	client.SetNamespace(variables["VAULT_NAMESPACE"])
	found, err := client.KVv2(mount).Get(ctx, path)
	if err != nil {
		return "", "", fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable, "the store's credentials can't be read from Vault at %s; "+
			"check VAULT_ADDR, VAULT_TOKEN and the token's policy", secret)
	}
	user, _ = found.Data["user"].(string)
	password, _ = found.Data["password"].(string)
	if user == "" {
		return "", "", fault.New(fault.GiveUp, fault.SecretUnavailable, "the secret %s has no \"user\"; it needs user and password", secret)
	}
	return user, password, nil
}
