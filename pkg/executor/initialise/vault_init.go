package initialise

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// pace is how often a Vault is asked that is coming up.
const pace = 50 * time.Millisecond

func (w *vaultWork) health(ctx context.Context) (*api.HealthResponse, error) {
	h, err := w.vault.Sys().HealthWithContext(ctx)
	if err != nil {
		return nil, w.fault(ctx, err, "telling how it is")
	}
	return h, nil
}

// initialise has Vault make its keys, once it is certain that they can be kept.
func (w *vaultWork) initialise(ctx context.Context) error {
	h, err := w.health(ctx)
	if err != nil || h.Initialized {
		return err
	}
	if w.o.Keys == nil {
		return fault.New(fault.GiveUp, fault.SecretUnavailable, "Vault at %s is not initialised, and this runner has no place for its keys: "+
			"`vivarium bootstrap` has", w.b.Address)
	}
	seal, err := w.seal(ctx)
	if err != nil {
		return err
	}
	if err := w.o.Keys.begin(w.keyed()); err != nil {
		return err
	}
	answer, err := w.vault.Sys().InitWithContext(ctx, w.shares(seal))
	if err != nil {
		return w.fault(ctx, err, "its initialisation")
	}
	w.r.Log("out", "Vault is initialised; its keys are where the operator said, and nowhere else")
	err = w.o.Keys.setVault(VaultKeys{Address: w.keyed(), Nodes: w.b.Nodes, CA: w.b.CA, Unseal: answer.KeysB64, Recovery: answer.RecoveryKeysB64, RootToken: answer.RootToken})
	if err != nil || seal == byKeys {
		return err
	}
	return w.awaitRoot(ctx, answer.RootToken)
}

// unseal uses the operator's keys. Who has none says so, and what is to be done.
func (w *vaultWork) unseal(ctx context.Context) error {
	h, err := w.health(ctx)
	if err != nil || !h.Sealed {
		return err
	}
	seal, err := w.seal(ctx)
	keys := w.o.Keys.of(w.keyed())
	switch {
	case err != nil:
		return err
	case seal != byKeys:
		return w.awaitItself(ctx, seal)
	case w.o.Keys == nil:
		return fault.New(fault.Wait, fault.Unavailable, "Vault at %s is sealed: unseal it with its keys (`vault operator unseal`)", w.b.Address)
	case keys == nil:
		return fault.New(fault.GiveUp, fault.SecretUnavailable, "Vault at %s is initialised, and its keys are not known here: give the file that they "+
			"were written to with --keys, or begin anew with --destroy when nobody has them", w.b.Address)
	}
	for _, key := range keys.Unseal {
		s, err := w.vault.Sys().UnsealWithContext(ctx, key)
		if err != nil {
			return w.fault(ctx, err, "a key")
		}
		if !s.Sealed || s.Progress == 0 { // who joins others is unsealed a little later
			break
		}
	}
	w.r.Log("out", "Vault is unsealed")
	return w.awaitRoot(ctx, keys.RootToken)
}

// login is by the root token where it is known, or else by the step's own role.
func (w *vaultWork) login(ctx context.Context) error {
	if keys := w.o.Keys.of(w.b.Address); keys != nil {
		w.vault.SetToken(keys.RootToken)
		if _, err := w.vault.Auth().Token().LookupSelfWithContext(ctx); err == nil {
			return nil
		}
		w.vault.ClearToken()
	}
	secret, err := w.byRole(ctx)
	if err == nil && secret != nil && secret.Auth != nil {
		w.vault.SetToken(secret.Auth.ClientToken)
		return nil
	}
	if err := w.fault(ctx, err, "a login"); fault.Is(err, fault.Unavailable) || ctx.Err() != nil {
		return err
	}
	return fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable, "Vault at %s has been initialised, and neither its root token is known here nor does "+
		"the role %q log in: give the file of its keys with --keys, or begin anew with --destroy when nobody has them", w.b.Address, w.b.Role)
}

// awaitKV waits for a new KV engine, which upgrades itself to version 2 first.
func (w *vaultWork) awaitKV(ctx context.Context) error {
	return w.await(ctx, func() error {
		_, err := w.vault.Logical().ReadWithContext(ctx, w.b.KV+"/config")
		return err
	})
}

// await asks until there is no error, for a while.
func (w *vaultWork) await(ctx context.Context, ask func() error) error {
	limit, cancel := context.WithTimeout(ctx, 2*w.o.Timeout)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if resilience.Pause(limit, pace) != nil {
			return w.ended(ctx, err)
		}
	}
}

// ended is the last word of what was waited for.
func (w *vaultWork) ended(ctx context.Context, err error) error {
	var known *fault.Error
	if ctx.Err() == nil && errors.As(err, &known) {
		return err
	}
	return w.fault(ctx, err, "its first use")
}

// Unseal unseals the Vault that the option's keys are of, where it is sealed. Without keys of one there is nothing to do.
func Unseal(ctx context.Context, o Options) error {
	held := o.Keys.Held().Vault
	if held == nil {
		return nil
	}
	w := &vaultWork{o: o.withDefaults(), r: executor.Request{Log: func(string, string) {}}, b: vaultBlock{Address: held.Address, Nodes: held.Nodes, CA: held.CA}}
	if err := need(w.r, "address", held.Address); err != nil {
		return err
	}
	if err := w.connect(); err != nil {
		return err
	}
	return w.unsealAll(ctx)
}

// enter logs in to a Vault that somebody has initialised and unsealed.
func (w *vaultWork) enter(ctx context.Context) error {
	h, err := w.health(ctx)
	switch {
	case err != nil:
		return err
	case !h.Initialized || h.Sealed:
		return fault.New(fault.Wait, fault.Unavailable, "Vault at %s is not initialised, or sealed: unseal it with its keys (`vault operator unseal`)", w.b.Address)
	}
	return w.login(ctx)
}
