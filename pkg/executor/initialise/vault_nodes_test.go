package initialise_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestAVaultOfSeveralNodes: one is initialised and the others join it, each is unsealed; one that is restarted is seen to be sealed and unsealed again, and
// without the first the others go on.
func TestAVaultOfSeveralNodes(t *testing.T) {
	one, ctx := startVault(t, servers.VaultOptions{Uninitialised: true}), t.Context()
	two := startVault(t, servers.VaultOptions{Uninitialised: true, Join: one.Address(), Node: "two"})
	nodes, err := json.Marshal([]string{one.Address(), two.Address(), "http://127.0.0.1:1"})
	require.NoError(t, err)
	const cluster = "http://vault.example.test" // which stands for all, and is not asked
	inputs := func(nodes []byte) string {
		return fmt.Sprintf(`{"address":%q,"nodes":%s,"shares":3,"role":"r","role_id":"id","secret_id":"secret","policy":%q}`, cluster, nodes,
			`path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	keys, err := initialise.OpenKeys(file)
	require.NoError(t, err)
	e := kind(t, initialise.Options{Keys: keys}, initialise.VaultName)
	_, err = e.Apply(ctx, request(inputs(nodes)))
	require.Equal(t, fault.Wait, fault.From(err).Disposition, "%v", err)
	require.ErrorContains(t, err, "127.0.0.1:1")
	require.Nil(t, keys.Held().Vault, "nothing is initialised while one might be that does not answer")

	three := startVault(t, servers.VaultOptions{Uninitialised: true, Join: one.Address(), Node: "three"})
	nodes, err = json.Marshal([]string{one.Address(), two.Address(), three.Address()})
	require.NoError(t, err)
	r := request(inputs(nodes))
	outputs, err := e.Apply(ctx, r)
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf("%q", cluster), string(outputs["address"].Value))
	held, err := initialise.OpenKeys(file)
	require.NoError(t, err)
	known := *held.Held().Vault
	require.Equal(t, cluster, known.Address)
	require.Len(t, known.Nodes, 3)
	require.Len(t, known.Unseal, 3)
	peers, err := client(t, two.Address(), known.RootToken).Logical().ReadWithContext(ctx, "sys/storage/raft/configuration")
	require.NoError(t, err)
	require.Len(t, peers.Data["config"].(map[string]any)["servers"], 3, "they are one cluster")
	_, err = e.Apply(ctx, r)
	require.NoError(t, err)
	require.Equal(t, known.RootToken, keys.Held().Vault.RootToken, "it is initialised once")

	r.Outputs = []byte(`{}`)
	server := kind(t, initialise.Options{}, initialise.VaultName)
	require.NoError(t, two.Restart(ctx))
	seen, err := server.Observe(ctx, r)
	require.NoError(t, err)
	require.True(t, seen.Drifted)
	require.Equal(t, "sealed", seen.Differences[0].Path)
	_, err = server.Apply(ctx, r)
	require.Equal(t, fault.Wait, fault.From(err).Disposition, "who has no keys waits: %v", err)
	require.ErrorContains(t, err, two.Address())
	require.NoError(t, initialise.Unseal(ctx, initialise.Options{Keys: held}))

	require.Eventually(t, func() bool { // who is new, or was away, has a vote after a while
		peers, err := client(t, one.Address(), known.RootToken).Logical().ReadWithContext(ctx, "sys/storage/raft/configuration")
		text, _ := json.Marshal(peers)
		return err == nil && strings.Count(string(text), `"voter":true`) == 3
	}, patience, 200*time.Millisecond)
	require.NoError(t, one.Kill())
	require.Eventually(t, func() bool { // the others have to agree on who leads
		seen, err = server.Observe(ctx, r)
		return err == nil && seen.Presence == event.Present && !seen.Drifted
	}, patience, 100*time.Millisecond)
	require.ErrorContains(t, initialise.Unseal(ctx, initialise.Options{Keys: held, Timeout: time.Second}), one.Address(), "one that is away is named")
}
