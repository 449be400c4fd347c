package main

import (
	"context"
	"log/slog"
	"net/url"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
)

// busLogin is where the broker's credentials come from when its address has none. Its methods work on nil: then the address has them.
type busLogin struct{ issued *vault.Issued }

// newBusLogin is nil where nothing is configured. The client of Vault is its own, so that what is issued ends with this process.
func newBusLogin(settings config.Settings, variables map[string]string, log *slog.Logger) (*busLogin, error) {
	path, ok := strings.CutPrefix(settings.BusCredentials, "vault:")
	if !ok {
		return nil, nil
	}
	o, ok := vaultOptions(variables, log.With("part", "bus credentials"))
	if !ok {
		return nil, usage("bus_credentials needs a Vault: say which with VAULT_ADDR, and who logs in with VAULT_ROLE_ID and VAULT_SECRET_ID")
	}
	return &busLogin{vault.Connect(o).Issue(path)}, nil
}

// start keeps credentials from now on; changed is called when others were issued.
func (l *busLogin) start(ctx context.Context, changed func()) error {
	if l == nil {
		return nil
	}
	l.issued.Changed = changed
	return l.issued.Start(ctx)
}

// stop gives the credentials back, once nothing is connected with them.
func (l *busLogin) stop(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return l.issued.Stop(ctx)
}

func (l *busLogin) stopWithin() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return l.stop(ctx)
}

// fits refuses an address that says itself who connects, or is of another kind of bus.
func (l *busLogin) fits(address string) error {
	if l == nil {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "amqp" && u.Scheme != "amqps":
		return usage("bus_credentials are those of an AMQP broker: the bus's address has to begin with amqp:// or amqps://")
	case u.User != nil:
		return usage("the bus's address says who connects, and bus_credentials say so too: take user and password out of the address")
	}
	return nil
}

// source is nil where the address has the credentials.
func (l *busLogin) source() func(context.Context, string) (amqp.Login, error) {
	if l == nil {
		return nil
	}
	return func(ctx context.Context, refused string) (amqp.Login, error) {
		c, err := l.issued.Get(ctx, refused)
		return amqp.Login{User: c.User, Password: c.Password, Spent: c.Spent}, err
	}
}

// address has the credentials of now, for commands on this machine.
func (l *busLogin) address(bus string) string {
	u, err := url.Parse(bus)
	if l == nil || err != nil {
		return bus
	}
	if c := l.issued.Current(); c.User != "" {
		u.User = url.UserPassword(c.User, c.Password)
	}
	return u.String()
}
