package initialise

import (
	"context"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// byKeys is the seal that people's keys open; every other one opens by itself, asking what its configuration names.
const byKeys = "shamir"

// seal is of which type Vault's is, which it tells also before it is initialised.
func (w *vaultWork) seal(ctx context.Context) (string, error) {
	s, err := w.vault.Sys().SealStatusWithContext(ctx)
	if err != nil {
		return "", w.fault(ctx, err, "telling of its seal")
	}
	return s.Type, nil
}

// shares is what Vault is asked for: keys that unseal it, or, where it unseals itself, keys that prove who people are when it is to be recovered.
func (w *vaultWork) shares(seal string) *api.InitRequest {
	if seal == byKeys {
		return &api.InitRequest{SecretShares: w.b.Shares, SecretThreshold: w.b.Threshold}
	}
	return &api.InitRequest{RecoveryShares: w.b.Shares, RecoveryThreshold: w.b.Threshold}
}

// awaitItself waits for a Vault that unseals itself. When it does not, what it asks does not answer, which no key of ours mends.
func (w *vaultWork) awaitItself(ctx context.Context, seal string) error {
	err := w.await(ctx, func() error {
		h, err := w.health(ctx)
		if err == nil && h.Sealed {
			err = fault.New(fault.Wait, fault.Unavailable, "Vault at %s is sealed, and unseals itself as soon as its seal %q answers: see that Vault can reach that, and may use it",
				w.b.Address, seal)
		}
		return err
	})
	if err == nil {
		w.r.Log("out", "Vault has unsealed itself")
	}
	return err
}

// awaitRoot waits until the new root token is taken: Vault is not ready the moment that it says it is.
func (w *vaultWork) awaitRoot(ctx context.Context, token string) error {
	return w.await(ctx, func() error {
		w.vault.SetToken(token)
		_, err := w.vault.Auth().Token().LookupSelfWithContext(ctx)
		return err
	})
}
