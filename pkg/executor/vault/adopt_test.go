package vault_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TestAdoptMakesNoVersion: the secret gets a mark beside the notes that it has, and what fits its recipe counts as generated.
func TestAdoptMakesNoVersion(t *testing.T) {
	v, path := realVault(t), unique(t)
	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"k": "v", "password": "abcdefgh"}})
	v.put(t, "secret/metadata/"+path, map[string]any{"custom_metadata": map[string]string{"team": "notes"}, "max_versions": 7})
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"data":{"k":"v"},"generate":{"password":{"length":8}}`))
	s.Adopt = json.RawMessage("true")
	outputs, err := s.Executor.(executor.Adopter).Adopt(t.Context(), s.Request)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.remember(t, outputs)["version"])
	s.Adopt = nil
	require.EqualValues(t, 1, s.apply(t)["version"])
	require.Equal(t, map[string]any{"k": "v", "password": "abcdefgh"}, v.values(t, path))
	metadata := v.get(t, "secret/metadata/"+path).Data
	custom := metadata["custom_metadata"].(map[string]any)
	require.Equal(t, "notes", custom["team"])
	require.Equal(t, "notes/notes.sample", custom["vivarium"])
	require.Contains(t, custom, "vivarium_generated.password")
	require.Equal(t, json.Number("7"), metadata["max_versions"])
	s.destroy(t)
}

// TestAdoptTellsWhatDoesNotFit without a value: a password that the block would not make so, and values that it does not name.
func TestAdoptTellsWhatDoesNotFit(t *testing.T) {
	v, path := realVault(t), unique(t)
	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"k": "others-value", "long": "abc", "odd": "ab_cd", "more": "others-too"}})
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"data":{"k":"v"},"generate":{"long":{"length":5},"odd":{"length":5}}`))
	s.Adopt = json.RawMessage("true")
	plan, err := s.Executor.Plan(t.Context(), s.Request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeUpdate, plan.Change)
	var paths []string
	for _, d := range plan.Differences {
		require.True(t, d.Sensitive)
		require.NotContains(t, d.Before+d.After, "others")
		paths = append(paths, d.Path)
	}
	require.Equal(t, []string{"data.k", "data.long, made anew", "data.more", "data.odd, made anew"}, paths)
	s.Unknown = map[string][]string{"data.k": {"sample.noop.other"}}
	plan, err = s.Executor.Plan(t.Context(), s.Request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeUnknown, plan.Change)
	s.Unknown, s.Adopt = nil, nil
	_, err = s.Executor.Plan(t.Context(), s.Request, event.Apply)
	requireFault(t, err, fault.Exists, fault.GiveUp, path)
	require.NotContains(t, v.get(t, "secret/metadata/"+path).Data, "vivarium")
}
