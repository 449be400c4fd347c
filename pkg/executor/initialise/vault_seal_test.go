package initialise_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestAVaultThatUnsealsItself has its seal at another Vault: it is initialised with recovery keys, and after a restart nobody's keys are needed.
// Once the other one is away it waits, and says for what.
func TestAVaultThatUnsealsItself(t *testing.T) {
	other, ctx := startVault(t, servers.VaultOptions{}), t.Context()
	require.NoError(t, other.Enable(ctx, "mounts", "transit", "transit"))
	_, err := client(t, other.Address(), other.RootToken()).Logical().WriteWithContext(ctx, "transit/keys/unseal", nil)
	require.NoError(t, err)
	v := startVault(t, servers.VaultOptions{Uninitialised: true, Seal: fmt.Sprintf("seal \"transit\" {\n  address = %q\n  token = %q\n  key_name = \"unseal\"\n  mount_path = \"transit/\"\n}\n", other.Address(), other.RootToken())})

	file := filepath.Join(t.TempDir(), "keys.json")
	keys, err := initialise.OpenKeys(file)
	require.NoError(t, err)
	r := request(fmt.Sprintf(`{"address":%q,"shares":3,"role":"r","role_id":"id","secret_id":"secret","policy":%q}`, v.Address(),
		`path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`))
	_, err = kind(t, initialise.Options{Keys: keys}, initialise.VaultName).Apply(ctx, r)
	require.NoError(t, err)
	held, err := initialise.OpenKeys(file)
	require.NoError(t, err)
	require.Empty(t, held.Held().Vault.Unseal)
	require.Len(t, held.Held().Vault.Recovery, 3)
	require.NotEmpty(t, held.Held().Vault.RootToken)

	require.NoError(t, v.Restart(ctx))
	require.Eventually(t, func() bool { // it is some while until it is active
		_, err = kind(t, initialise.Options{}, initialise.VaultName).Apply(ctx, r)
		return err == nil
	}, patience, 100*time.Millisecond, "the role's own ids do, and nobody has unsealed it: %v", err)
	require.NoError(t, initialise.Unseal(ctx, initialise.Options{Keys: held}), "there is nothing to do")

	require.NoError(t, other.Kill())
	require.NoError(t, client(t, v.Address(), held.Held().Vault.RootToken).Sys().SealWithContext(ctx))
	_, err = kind(t, initialise.Options{Keys: held, Timeout: time.Second}, initialise.VaultName).Apply(ctx, r)
	require.Equal(t, fault.Wait, fault.From(err).Disposition, "%v", err)
	require.ErrorContains(t, err, `its seal "transit"`)
}
