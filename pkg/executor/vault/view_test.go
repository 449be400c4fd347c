package vault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

func (s *step) plan(t *testing.T, verb event.Verb) event.Plan {
	t.Helper()
	plan, err := s.Executor.Plan(t.Context(), s.Request, verb)
	require.NoError(t, err)
	return plan.Plan
}

func (s *step) observe(t *testing.T) event.Observation {
	t.Helper()
	found, err := s.Observe(t.Context(), s.Request)
	require.NoError(t, err)
	return found
}

func covered(path string, change event.Change) event.Difference {
	d := event.Difference{Path: path, Change: change, Before: secret.Shown, After: secret.Shown, Sensitive: true}
	if change == event.ChangeCreate {
		d.Before = ""
	}
	if change == event.ChangeDestroy {
		d.After = ""
	}
	return d
}

func TestAPlanOfASecret(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"data":{"user":"app"},"generate":{"password":{},"token":{}}`))
	require.Equal(t, event.Plan{Change: event.ChangeCreate, Differences: []event.Difference{
		covered("data.password", event.ChangeCreate), covered("data.token", event.ChangeCreate), covered("data.user", event.ChangeCreate),
	}}, s.plan(t, event.Apply))
	s.apply(t)
	s.Inputs = json.RawMessage(secretInputs(path, `"data":{"user":"other"},"generate":{"password":{"rotate":"2"},"more":{}}`))
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		covered("data.more", event.ChangeCreate), covered("data.password, made anew", event.ChangeUpdate), covered("data.token", event.ChangeDestroy),
		covered("data.user", event.ChangeUpdate), {Path: "custom_metadata.vivarium_generated.token", Change: event.ChangeDestroy},
	}}, s.plan(t, event.Apply))
	s.apply(t)
	require.Equal(t, event.Plan{Change: event.ChangeNone}, s.plan(t, event.Apply))

	s.Inputs = json.RawMessage(secretInputs(path+"/moved", `"data":{"user":"other"},"generate":{"password":{"rotate":"2"},"more":{}}`))
	require.Equal(t, event.Plan{Change: event.ChangeReplace, Differences: []event.Difference{
		{Path: "secret/" + path, Change: event.ChangeDestroy}, {Path: "secret/" + path + "/moved", Change: event.ChangeCreate},
	}}, s.plan(t, event.Apply), "what was generated goes along")
	require.Equal(t, event.Plan{Change: event.ChangeDestroy, Differences: []event.Difference{{Path: "secret/" + path, Change: event.ChangeDestroy}}},
		s.plan(t, event.Destruct))
	s.Unknown = map[string][]string{"path": {"sample.noop.other"}}
	require.Equal(t, event.Plan{Change: event.ChangeUnknown, Until: []string{"sample.noop.other"}}, s.plan(t, event.Apply))
}

// TestDriftOfASecret: altered, written anew with the same values, deleted, destroyed, removed, taken over.
func TestDriftOfASecret(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.SecretName, secretInputs(path, `"data":{"user":"app"}`))
	drifted := func(differences ...event.Difference) event.Observation {
		return event.Observation{Presence: event.Present, Drifted: true, Differences: differences}
	}
	version := func(from, to string) event.Difference {
		return event.Difference{Path: "version", Change: event.ChangeUpdate, Before: from, After: to}
	}
	s.apply(t)
	require.Equal(t, event.Observation{Presence: event.Present}, s.observe(t))
	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"user": "app"}})
	require.Equal(t, drifted(version("1", "2")), s.observe(t))
	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"user": []any{1}}})
	require.Equal(t, drifted(version("1", "3"), covered("data.user", event.ChangeUpdate)), s.observe(t))
	s.apply(t)
	_, err := v.Logical().DeleteWithContext(t.Context(), "secret/data/"+path)
	require.NoError(t, err)
	require.Equal(t, drifted(covered("data.user", event.ChangeDestroy)), s.observe(t))
	s.apply(t)
	v.put(t, "secret/destroy/"+path, map[string]any{"versions": []int{5}})
	require.Equal(t, drifted(covered("data.user", event.ChangeDestroy)), s.observe(t))
	s.apply(t)

	v.put(t, "secret/metadata/"+path, map[string]any{"custom_metadata": map[string]string{"vivarium": "other/notes.db"}})
	require.Equal(t, event.Observation{Presence: event.Absent, Drifted: true, Differences: []event.Difference{
		{Path: "owner", Change: event.ChangeReplace, Before: "notes/notes.sample", After: "somebody else"},
	}}, s.observe(t))
	_, err = s.Executor.Plan(t.Context(), s.Request, event.Apply)
	requireFault(t, err, fault.Exists, fault.GiveUp, "other/notes.db")
	_, err = v.Logical().DeleteWithContext(t.Context(), "secret/metadata/"+path)
	require.NoError(t, err)
	require.Equal(t, event.Observation{Presence: event.Absent, Drifted: true, Differences: []event.Difference{
		{Path: "secret/" + path, Change: event.ChangeDestroy},
	}}, s.observe(t))
	require.Equal(t, event.ChangeCreate, s.plan(t, event.Apply).Change)
}

// TestAPlanSaysThatACertificateIsToBeRenewed, and since when.
func TestAPlanSaysThatACertificateIsToBeRenewed(t *testing.T) {
	v, path := realVault(t), unique(t)
	now := time.Now()
	c := connect(t, vault.Options{Address: v.Vault.Address(), Token: v.RootToken(), Now: func() time.Time { return now }})
	s := newStep(kind(t, c, vault.PKIName), pkiInputs(path, `,"ttl":"1h","renew_before":"10m"`))
	outputs := s.apply(t)
	require.Equal(t, event.Plan{Change: event.ChangeNone}, s.plan(t, event.Apply))
	now = now.Add(55 * time.Minute)
	plan := s.plan(t, event.Apply)
	require.Equal(t, event.ChangeUpdate, plan.Change)
	require.Len(t, plan.Differences, 1)
	require.Contains(t, plan.Differences[0].Before, outputs["expires_at"])
	require.Contains(t, plan.Differences[0].After, "since "+outputs["renew_at"].(string))
	require.False(t, s.observe(t).Drifted, "time that passes is no drift")
	s.apply(t)
	now = time.Now()
	require.Equal(t, event.Plan{Change: event.ChangeNone}, s.plan(t, event.Apply))

	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"certificate": "x"}})
	require.True(t, s.observe(t).Drifted)
	require.Contains(t, s.plan(t, event.Apply).Differences[0].After, "issued")
}

func TestAPlanOfAPolicyShowsTheLines(t *testing.T) {
	v := realVault(t)
	name := fmt.Sprintf("view-%d", number(t.Name()))
	inputs := func(lines ...string) json.RawMessage {
		text, err := json.Marshal(map[string]string{"name": name, "rules": strings.Join(lines, "\n")})
		require.NoError(t, err)
		return text
	}
	s := v.rooted(t, vault.PolicyName, string(inputs("# a", "# b", "# c", "# d")))
	s.apply(t)
	s.Inputs = inputs("# a", "# B", "# C", "# d")
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		{Path: "rules, line 2", Change: event.ChangeUpdate, Before: "# b\n# c", After: "# B\n# C"},
	}}, s.plan(t, event.Apply))

	// Rules that were secret are not shown when they are replaced by others that are not.
	s.Secrets = []string{"hunter2-hunter2"}
	s.Inputs = inputs("# hunter2-hunter2")
	s.apply(t)
	s.Secrets = nil
	require.Equal(t, event.Present, s.look(t))
	s.Inputs = inputs("# plain")
	require.Equal(t, []event.Difference{covered("rules, line 1", event.ChangeUpdate)}, s.plan(t, event.Apply).Differences)
	s.apply(t)
	s.destroy(t)
}

func TestAPlanOfARole(t *testing.T) {
	v, path := realVault(t), unique(t)
	role := fmt.Sprintf("view-%d", number(t.Name()))
	inputs := func(rest string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"role_name":%q,"store":%q%s}`, role, path, rest))
	}
	s := v.rooted(t, vault.AppRoleName, string(inputs(`,"policies":["a"],"token_ttl":"10m"`)))
	s.apply(t)
	s.Inputs = inputs(`,"policies":["b","a"],"token_ttl":"20m","rotate":"2"`)
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		{Path: "token_policies", Change: event.ChangeUpdate, Before: "a", After: "a, b"},
		{Path: "token_ttl", Change: event.ChangeUpdate, Before: "600", After: "1200"},
		covered("secret_id, made anew", event.ChangeUpdate),
	}}, s.plan(t, event.Apply))
	s.apply(t)
	accessor := v.values(t, path)["secret_id_accessor"]
	v.put(t, "auth/approle/role/"+role+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": accessor})
	require.Equal(t, []event.Difference{covered("secret_id, which Vault does not know any more", event.ChangeDestroy)}, s.observe(t).Differences)
	s.apply(t)
	_, err := v.Logical().DeleteWithContext(t.Context(), "auth/approle/role/"+role)
	require.NoError(t, err)
	require.Equal(t, []event.Difference{{Path: "auth/approle/role/" + role, Change: event.ChangeDestroy}}, s.observe(t).Differences)
	require.Len(t, s.plan(t, event.Apply).Differences, 2)
	s.apply(t)
	s.destroy(t)
}

// TestLooksChangeNothing: all that plans and observations send is read; the lookup of a secret id is a POST, which reads.
func TestLooksChangeNothing(t *testing.T) {
	v, path := realVault(t), unique(t)
	for name, inputs := range map[string]string{
		vault.SecretName:  `{"path":"PATH","data":{"b":"c"},"generate":{"a":{}}}`,
		vault.PolicyName:  `{"name":"NAME","rules":""}`,
		vault.AppRoleName: `{"role_name":"NAME","store":"PATH"}`,
		vault.PKIName:     `{"role":"web","common_name":"a","store":"PATH"}`,
	} {
		p := newProxy(t, v)
		s := p.through(t, v, name, strings.NewReplacer("PATH", path+"/"+name, "NAME", fmt.Sprint("looks-", number(name))).Replace(inputs))
		look := func() {
			var wrote []string
			p.before = func(_ int, r *http.Request) error {
				if r.Method != http.MethodGet && r.Method != "LIST" && !strings.HasSuffix(r.URL.Path, "/lookup") {
					wrote = append(wrote, r.Method+" "+r.URL.Path)
				}
				return nil
			}
			s.plan(t, event.Apply)
			s.plan(t, event.Destruct)
			s.observe(t)
			p.before = nil
			require.Empty(t, wrote)
		}
		look()
		s.apply(t)
		look()
		s.destroy(t)
		look()
	}
}
