package servers

import (
	"context"
	"errors"
	"testing"
	"time"
)

var sharedVault = sharedServer[*Vault]{title: "Vault", prefix: "vivarium-vault-", patience: 25 * time.Minute,
	start: func(ctx context.Context, dir string) (*Vault, error) {
		v, err := StartVault(ctx, dir)
		if err != nil {
			return nil, err
		}
		if err := v.Enable(ctx, "mounts", "kv", "secret"); err != nil {
			return nil, errors.Join(err, v.Kill())
		}
		return v, nil
	}}

// SharedVault is the one Vault of this test process, started (and built, where it never was) when it is first asked for,
// with a KV version 2 engine at "secret". A package that uses it has its TestMain call StopSharedVault when the tests are
// over. A test that seals or stops it puts that right itself.
func SharedVault(t testing.TB) *Vault {
	t.Helper()
	return sharedVault.get(t)
}

// StopSharedVault ends the Vault of SharedVault and removes its data; it does no harm when there is none.
func StopSharedVault() { sharedVault.stop() }
