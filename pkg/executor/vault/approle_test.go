package vault_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// accepts tells whether Vault takes the login.
func (v real) accepts(t *testing.T, outputs map[string]any) bool {
	t.Helper()
	_, err := v.Logical().WriteWithContext(t.Context(), "auth/approle/login",
		map[string]any{"role_id": outputs["role_id"], "secret_id": outputs["secret_id"]})
	return err == nil
}

func TestAppRole(t *testing.T) {
	v, path := realVault(t), unique(t)
	role := fmt.Sprintf("role-%d", number(t.Name()))
	inputs := func(rest string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"role_name":%q,"store":%q%s}`, role, path, rest))
	}
	s := v.rooted(t, vault.AppRoleName, string(inputs(`,"policies":["b","a"],"token_ttl":"10m"`)))
	first := s.apply(t)
	require.True(t, v.accepts(t, first))
	require.Equal(t, first["secret_id"], v.values(t, path)["secret_id"])
	s.log.Take()
	require.Equal(t, first, s.apply(t))
	require.Empty(t, s.log.Take(), "nothing was to be done")

	// Settings changed by the block or behind its back are written, the secret id stays.
	v.put(t, "auth/approle/role/"+role, map[string]any{"token_policies": "root-like", "token_max_ttl": "1h"})
	s.Inputs = inputs(`,"policies":["c"],"token_num_uses":3`)
	require.Equal(t, first, s.apply(t))
	settings := v.get(t, "auth/approle/role/"+role).Data
	require.Equal(t, []any{"c"}, settings["token_policies"])
	require.Equal(t, json.Number("0"), settings["token_max_ttl"])
	require.Equal(t, json.Number("3"), settings["token_num_uses"])

	// Rotated, the one before is taken back.
	s.Inputs = inputs(`,"rotate":"2"`)
	second := s.apply(t)
	require.Equal(t, first["role_id"], second["role_id"])
	require.NotEqual(t, first["secret_id"], second["secret_id"])
	require.True(t, v.accepts(t, second))
	require.False(t, v.accepts(t, first))

	// A role that was removed behind its back is made again.
	_, err := v.Logical().DeleteWithContext(t.Context(), "auth/approle/role/"+role)
	require.NoError(t, err)
	third := s.apply(t)
	require.True(t, v.accepts(t, third))

	// The store moves with all that is in it.
	moved := json.RawMessage(fmt.Sprintf(`{"role_name":%q,"store":%q,"rotate":"2"}`, role, path+"/moved"))
	s.Inputs = moved
	fourth := s.apply(t)
	require.Equal(t, third["secret_id"], fourth["secret_id"])
	require.Equal(t, third["secret_id"], v.values(t, path+"/moved")["secret_id"])
	require.Nil(t, v.get(t, "secret/metadata/"+path))

	s.destroy(t)
	require.False(t, v.accepts(t, fourth))
	require.Nil(t, v.get(t, "auth/approle/role/"+role))
	require.Nil(t, v.get(t, "secret/metadata/"+path+"/moved"))
}

func TestForeignRole(t *testing.T) {
	v, path := realVault(t), unique(t)
	role := fmt.Sprintf("role-%d", number(t.Name()))
	v.put(t, "auth/approle/role/"+role, map[string]any{"token_policies": "theirs"})
	s := v.rooted(t, vault.AppRoleName, fmt.Sprintf(`{"role_name":%q,"store":%q}`, role, path))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Exists, fault.GiveUp, role)
	s.destroy(t)
	require.Equal(t, []any{"theirs"}, v.get(t, "auth/approle/role/"+role).Data["token_policies"])
}

func TestASecretIDIsReplacedBeforeItEnds(t *testing.T) {
	v, path := realVault(t), unique(t)
	role := fmt.Sprintf("role-%d", number(t.Name()))
	now := time.Now()
	c := connect(t, vault.Options{Address: v.Vault.Address(), Token: v.RootToken(), Now: func() time.Time { return now }})
	s := newStep(kind(t, c, vault.AppRoleName), fmt.Sprintf(`{"role_name":%q,"store":%q,"secret_id_ttl":"3h"}`, role, path))
	first := s.apply(t)
	now = now.Add(time.Hour)
	require.Equal(t, first, s.apply(t))
	now = now.Add(61 * time.Minute)
	second := s.apply(t)
	require.NotEqual(t, first["secret_id"], second["secret_id"])
	require.Equal(t, event.Present, s.look(t))
}
