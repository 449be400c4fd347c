package vault_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestPolicy(t *testing.T) {
	v, name := realVault(t), fmt.Sprintf("policy-%d", number(t.Name()))
	rules := "path \"secret/data/x\" {\n  capabilities = [\"read\"]\n}\n"
	inputs := func(name, rules string) json.RawMessage {
		text, err := json.Marshal(map[string]string{"name": name, "rules": rules})
		require.NoError(t, err)
		return text
	}
	s := v.rooted(t, vault.PolicyName, string(inputs(name, rules)))
	require.Equal(t, map[string]any{"name": name}, s.apply(t))
	path := "sys/policies/acl/" + name
	require.Contains(t, v.get(t, path).Data["policy"], rules)

	// Changed behind its back, rules put right; the mark taken off, it counts as somebody else's.
	ours := v.get(t, path).Data["policy"].(string)
	v.put(t, path, map[string]any{"policy": ours + "# more\n"})
	s.apply(t)
	require.Equal(t, ours, v.get(t, path).Data["policy"])
	v.put(t, path, map[string]any{"policy": rules})
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Exists, fault.GiveUp, name, "no environment")
	requireFault(t, s.Destroy(t.Context(), s.Request), fault.Exists, fault.GiveUp, name)
	v.put(t, path, map[string]any{"policy": ours})

	// A token with it may do that and no more.
	token := v.token(t, map[string]any{"policies": []string{name}, "no_default_policy": true})
	other := newStep(kind(t, connect(t, vault.Options{Address: v.Vault.Address(), Token: token}), vault.PolicyName), string(inputs(name+"-b", "")))
	_, err = other.Apply(t.Context(), other.Request)
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition)

	other = v.rooted(t, vault.PolicyName, string(inputs(name, "")))
	other.Environment = "other"
	_, err = other.Apply(t.Context(), other.Request)
	requireFault(t, err, fault.Exists, fault.GiveUp, `"notes/notes.sample"`)
	require.NoError(t, other.Destroy(t.Context(), other.Request))
	require.Equal(t, event.Present, s.look(t))

	s.Inputs = inputs(name+"-renamed", rules)
	s.apply(t)
	require.Nil(t, v.get(t, path))
	s.destroy(t)
	require.Nil(t, v.get(t, path+"-renamed"))
}
