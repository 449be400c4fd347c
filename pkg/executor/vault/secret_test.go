package vault_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func secretInputs(path, rest string) string { return fmt.Sprintf(`{"path":%q,%s}`, path, rest) }

func TestGeneratedValuesAreKeptAndRotated(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.SecretName, secretInputs(path,
		`"data":{"user":"app"},"generate":{"password":{"length":40,"alphabet":"abc€"},"token":{}}`))
	first := s.apply(t)["data"].(map[string]any)
	require.Regexp(t, `^[abc€]{40}$`, first["password"])
	require.Regexp(t, `^[A-Za-z0-9]{32}$`, first["token"])
	require.Equal(t, "app", first["user"])
	require.Equal(t, first, v.values(t, path))

	// Other lengths ask for no new value, another rotate does, for its value alone.
	s.Inputs = json.RawMessage(secretInputs(path, `"data":{"user":"other"},"generate":{"password":{"length":12,"rotate":"2027-01"},"token":{"length":64}}`))
	second := s.apply(t)
	data := second["data"].(map[string]any)
	require.Equal(t, map[string]any{"user": "other", "token": first["token"], "password": data["password"]}, data)
	require.Regexp(t, `^[A-Za-z0-9]{12}$`, data["password"])
	require.EqualValues(t, 2, second["version"])
	require.Equal(t, second, s.apply(t), "the third apply changes nothing")

	// What is generated no longer goes, and what was given before is generated anew.
	s.Inputs = json.RawMessage(secretInputs(path, `"data":{"token":"given"},"generate":{"user":{}}`))
	third := s.apply(t)["data"].(map[string]any)
	require.Len(t, third, 2)
	require.Equal(t, "given", third["token"])
	require.NotEqual(t, "other", third["user"])
	s.Inputs = json.RawMessage(secretInputs(path, `"generate":{"token":{},"user":{}}`))
	fourth := s.apply(t)["data"].(map[string]any)
	require.NotEqual(t, "given", fourth["token"])
	require.Equal(t, third["user"], fourth["user"])
}

func TestChangesBehindItsBackAreUndone(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"data":{"user":"app"},"generate":{"password":{}}`))
	first := s.apply(t)["data"].(map[string]any)
	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"user": 7, "password": first["password"], "more": "x"}})
	require.Equal(t, first, s.apply(t)["data"])

	// A deleted version has values no longer: those that were generated are made anew.
	_, err := v.Logical().DeleteWithContext(t.Context(), "secret/data/"+path)
	require.NoError(t, err)
	again := s.apply(t)
	require.EqualValues(t, 4, again["version"], "one by us, one behind our back, one by us, and this")
	require.NotEqual(t, first["password"], again["data"].(map[string]any)["password"])

	s.destroy(t)
	require.Nil(t, v.get(t, "secret/metadata/"+path))
}

func TestASecretMoves(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.SecretName, secretInputs(path+"/a", `"generate":{"password":{}}`))
	first := s.apply(t)["data"]
	s.Inputs = json.RawMessage(secretInputs("/"+path+"/b/", `"generate":{"password":{}}`))
	second := s.apply(t)
	require.Equal(t, path+"/b", second["path"])
	require.Equal(t, first, second["data"], "what was generated goes along")
	require.Nil(t, v.get(t, "secret/metadata/"+path+"/a"))
	require.Equal(t, second, s.apply(t))

	// A destroy finds what the last successful apply left, wherever the inputs point now.
	s.Inputs = json.RawMessage(secretInputs(path+"/c", `"generate":{"password":{}}`))
	require.Equal(t, event.Present, s.look(t))
	s.destroy(t)
	require.Nil(t, v.get(t, "secret/metadata/"+path+"/b"))
}

func TestForeignSecrets(t *testing.T) {
	v, path := realVault(t), unique(t)
	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"k": "theirs"}})
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"data":{"k":"ours"}`))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Exists, fault.GiveUp, path, "no environment")
	require.Equal(t, event.Absent, s.look(t), "ours is not there")
	require.NoError(t, s.Destroy(t.Context(), s.Request), "nothing of ours was ever there")
	require.Equal(t, map[string]any{"k": "theirs"}, v.values(t, path))

	v.put(t, "secret/metadata/"+path, map[string]any{"custom_metadata": map[string]string{"vivarium": "other/notes.db"}})
	_, err = s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Exists, fault.GiveUp, path, "other/notes.db")
	s.Outputs = json.RawMessage(fmt.Sprintf(`{"mount":"secret","path":%q}`, path))
	requireFault(t, s.Destroy(t.Context(), s.Request), fault.Exists, fault.GiveUp, path, "other/notes.db")
	require.Equal(t, map[string]any{"k": "theirs"}, v.values(t, path))
}

func TestOtherNotesStay(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"generate":{"a":{}}`))
	s.apply(t)
	custom := v.get(t, "secret/metadata/"+path).Data["custom_metadata"].(map[string]any)
	require.Equal(t, "notes/notes.sample", custom["vivarium"])
	custom["team"] = "notes"
	v.put(t, "secret/metadata/"+path, map[string]any{"custom_metadata": custom})
	s.Inputs = json.RawMessage(secretInputs(path, `"generate":{"b":{}}`))
	s.apply(t)
	custom = v.get(t, "secret/metadata/"+path).Data["custom_metadata"].(map[string]any)
	require.Equal(t, "notes", custom["team"])
	require.Contains(t, custom, "vivarium_generated.b")
	require.NotContains(t, custom, "vivarium_generated.a")
}

func TestALongNameOfAStepIsStillAnOwner(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"data":{"k":"v"}`))
	s.Step = strings.Repeat("é", 400) + "a"
	s.apply(t)
	s.apply(t)
	own := s.Step
	s.Step = strings.Repeat("é", 400) + "b"
	_, err := s.Apply(t.Context(), s.Request)
	require.True(t, fault.Is(err, fault.Exists), "%v", err)
	s.Step = own
	s.destroy(t)
}

func TestBadInputs(t *testing.T) {
	v, path := realVault(t), unique(t)
	for _, c := range []struct{ kind, inputs, says string }{
		{vault.SecretName, `[]`, "vault_secret block"},
		{vault.SecretName, `{"path":"a/../b"}`, "path"},
		{vault.SecretName, `{"path":""}`, "path"},
		{vault.SecretName, `{"path":"a//b"}`, "path"},
		{vault.SecretName, `{"path":"a","mount":"se/./cret"}`, "mount"},
		{vault.SecretName, secretInputs(path, `"data":{"k":"v"},"generate":{"k":{}}`), `"k"`},
		{vault.SecretName, secretInputs(path, `"generate":{"k":{"length":0}}`), "length"},
		{vault.SecretName, secretInputs(path, `"generate":{"k":{"lenght":9}}`), "length (a whole number)"},
		{vault.SecretName, secretInputs(path, `"generate":{"k":{"alphabet":"aaa"}}`), "alphabet"},
		{vault.PolicyName, `{"name":"root","rules":""}`, "root"},
		{vault.PolicyName, `{"name":"a/b","rules":""}`, "slash"},
		{vault.PolicyName, `{"name":"` + strings.ReplaceAll(path, "/", "-") + `","rules":"path {"}`, "refuses writing a policy"},
		{vault.PKIName, `{"role":"web","common_name":"a","store":"s","ttl":"1h","renew_before":"2h"}`, "renew_before"},
		{vault.PKIName, `{"role":"web","common_name":"a","store":"s","ttl":"soon"}`, "soon"},
		{vault.AppRoleName, `{"role_name":"a","store":"s","token_ttl":"-1s"}`, "token_ttl"},
	} {
		s := v.rooted(t, c.kind, c.inputs)
		_, err := s.Apply(t.Context(), s.Request)
		requireFault(t, err, fault.Invalid, fault.GiveUp, c.says)
	}
	s := v.rooted(t, vault.SecretName, `{"mount":"pki","path":"a"}`)
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Invalid, fault.GiveUp, "no KV version 2", "pki")
	s = v.rooted(t, vault.SecretName, `{"mount":"nowhere","path":"a"}`)
	_, err = s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.NotFound, fault.GiveUp, "nowhere/metadata/a")
}

func requireFault(t *testing.T, err error, code fault.Code, d fault.Disposition, says ...string) {
	t.Helper()
	require.Error(t, err)
	e := fault.From(err)
	require.Equal(t, code, e.Code, "%v", err)
	require.Equal(t, d, e.Disposition, "%v", err)
	for _, s := range says {
		require.Contains(t, e.Message, s)
	}
}
