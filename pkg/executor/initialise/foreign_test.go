package initialise_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestWhatSomebodyElseHasInitialisedIsRefused: a Consul that has a management token, and a Vault that has keys.
func TestWhatSomebodyElseHasInitialisedIsRefused(t *testing.T) {
	c, ctx := startConsul(t, servers.ConsulOptions{ManagementToken: "99999999-2222-4333-8444-555555555555"}), t.Context()
	v := startVault(t, servers.VaultOptions{})
	keys, err := initialise.OpenKeys("")
	require.NoError(t, err)
	for name, inputs := range map[string]string{
		initialise.ConsulName: fmt.Sprintf(`{"address":%q,"management_token":%q,"name":"c","token":"11111111-2222-4333-8444-555555555556",`+
			`"agent_token":"11111111-2222-4333-8444-555555555557","rules":""}`, c.Address(), management),
		initialise.VaultName: fmt.Sprintf(`{"address":%q,"role":"r","role_id":"id","secret_id":"secret","policy":""}`, v.Address()),
	} {
		e := kind(t, initialise.Options{Keys: keys}, name)
		_, err := e.Apply(ctx, request(inputs))
		require.Equal(t, fault.GiveUp, fault.From(err).Disposition, "%s: %v", name, err)
		require.ErrorContains(t, err, "initialised", name)
		require.NoError(t, e.Destroy(ctx, request(inputs)), "there is nothing of ours to destroy: %s", name)
	}
}
