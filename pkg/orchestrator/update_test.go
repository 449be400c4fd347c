package orchestrator

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const city = `template "city" {
  version = "VERSION"
}
parameter "name" {
  type    = string
  default = "DEFAULT"
}
parameter "zones" {
  type    = list(string)
  default = ["a", "b"]
}
parameter "token" {
  type      = string
  sensitive = true
  default   = "nobody-knows-this"
}
resource "noop" "base" {
  inputs = { name = param.name }
}
resource "noop" "zone" {
  for_each = toset(param.zones)
  inputs   = { zone = each.key, fixed = "x" }
  depends_on = [resource.noop.base]
}
resource "noop" "top" {
  inputs = { name = resource.noop.base.outputs.inputs.name, token = param.token }
}
resource "noop" "aside" {
  inputs = { other = true }
}
EXTRA`

func (r *rig) city(version, def, extra string) {
	r.Helper()
	text := strings.NewReplacer("VERSION", version, "DEFAULT", def, "EXTRA", extra).Replace(city)
	dir := filepath.Join(r.dir, "catalogue", "city")
	require.NoError(r, os.MkdirAll(dir, 0o755))
	require.NoError(r, os.WriteFile(filepath.Join(dir, "template.hcl"), []byte(text), 0o644))
	var err error
	r.catalogue, err = template.OpenCatalogue(filepath.Join(r.dir, "catalogue"), r.kinds(), nil)
	require.NoError(r, err)
}

// steps are what an operation did, in the order of the journal: offers with their verb, and what turned out unchanged.
func (r *rig) steps(name, operation string) []string {
	r.Helper()
	entries, err := r.store.Entries(r.Context(), store.Selection{Partition: -1, Environment: name})
	require.NoError(r, err)
	var did []string
	for _, e := range entries {
		var b struct {
			Operation, Step string
			Verb            event.Verb
		}
		require.NoError(r, json.Unmarshal(e.Data, &b))
		switch {
		case b.Operation != operation:
		case e.Type == "step.waiting":
			did = append(did, string(b.Verb)+" "+strings.TrimPrefix(b.Step, "city.noop."))
		case e.Type == "step.unchanged":
			did = append(did, "unchanged "+strings.TrimPrefix(b.Step, "city.noop."))
		}
	}
	return did
}

func (r *rig) update(name string, u event.Update) (operation string) {
	r.Helper()
	answer := r.command(event.EnvironmentUpdate, name, u)
	require.True(r, answer.Accepted, "%v", answer.Error)
	require.Eventually(r, func() bool {
		ops, _, err := r.store.Operations(r.Context(), name, store.Page{})
		return err == nil && ops[0].ID == answer.Operation && ops[0].FinishedAt != nil
	}, patience, 5*time.Millisecond)
	return answer.Operation
}

func (r *rig) addresses(name string) []string {
	r.Helper()
	resources, _, err := r.store.Resources(r.Context(), name, store.Page{Limit: -1})
	require.NoError(r, err)
	var list []string
	for _, one := range resources {
		list = append(list, strings.TrimPrefix(one.Address, "city.noop."))
	}
	return list
}

func params(pairs ...string) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return all
}

func TestUpdateRunsOnlyWhatChanges(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	_, stop := r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}, Parameters: params("token", `"t0k3n-of-one"`)}).Accepted)
	r.await("one", environment.Deployed)

	require.Empty(t, r.steps("one", r.update("one", event.Update{})), "nothing has changed")
	require.Empty(t, r.steps("one", r.update("one", event.Update{Parameters: params("token", `"t0k3n-of-one"`)})), "the same secret, sealed anew")
	require.ElementsMatch(t, []string{"apply top"}, r.steps("one", r.update("one", event.Update{Parameters: params("token", `"another-token"`)})))

	did := r.steps("one", r.update("one", event.Update{Parameters: params("name", `"bern"`)}))
	require.Equal(t, "apply base", did[0])
	require.ElementsMatch(t, []string{"apply base", "apply top", `unchanged zone["a"]`, `unchanged zone["b"]`}, did,
		"the zones come after base, but get nothing of it that has changed; aside has nothing to do with it")

	did = r.steps("one", r.update("one", event.Update{Parameters: params("zones", `["b", "c"]`)}))
	require.ElementsMatch(t, []string{`destroy zone["a"]`, `apply zone["c"]`}, did)
	require.Equal(t, []string{"aside", "base", "top", `zone["b"]`, `zone["c"]`}, r.addresses("one"))

	require.ElementsMatch(t, []string{`apply zone["a"]`, `destroy zone["c"]`}, r.steps("one", r.update("one", event.Update{Parameters: params("zones", "null")})),
		"null goes back to the default")
	record, err := r.store.Environment(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, []string{"name", "token"}, record.Given)

	// A new version of the template: another default, which a given parameter does not follow; one resource less and one more.
	stop()
	r.city("1.1.0", "basel", "resource \"noop\" \"new\" {\n  inputs = { on = resource.noop.aside.outputs.inputs }\n}\n")
	r.start()
	require.Empty(t, r.steps("one", r.update("one", event.Update{Parameters: params("name", `"bern"`)})), "the templates stay as they were until another version is asked for")
	require.Equal(t, []string{"apply new"}, r.steps("one", r.update("one", event.Update{Templates: []string{"city@1.1.0"}})))
	did = r.steps("one", r.update("one", event.Update{Parameters: params("name", "null")}))
	require.ElementsMatch(t, []string{"apply base", "apply top", `unchanged zone["a"]`, `unchanged zone["b"]`}, did, "ulm was the default, and is basel now")
	r.everyEntryIsPublishedInOrder("one")

	require.True(t, r.command(event.EnvironmentDestroy, "one", event.Destroy{}).Accepted)
	r.await("one", environment.Destroyed)
}

func TestUpdateThatCantBeTaken(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	r.start()
	stop := r.runner("default")
	rejected := func(code fault.Code, u event.Update, said string) {
		t.Helper()
		answer := r.command(event.EnvironmentUpdate, "one", u)
		require.False(t, answer.Accepted)
		require.Equal(t, code, answer.Error.Code)
		require.Contains(t, answer.Error.Message, said)
	}
	rejected(fault.NotFound, event.Update{}, `there is no environment "one"`)
	answer := r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}})
	require.True(t, answer.Accepted, "%+v", answer.Error)
	r.await("one", environment.Deployed)
	rejected(fault.InvalidParameter, event.Update{Parameters: params("naem", `"x"`)}, "naem")
	rejected(fault.InvalidParameter, event.Update{Parameters: params("zones", `7`)}, "zones")
	rejected(fault.UnknownTemplate, event.Update{Templates: []string{"village"}}, "village")
	rejected(fault.Invalid, event.Update{Parallelism: -1}, "parallelism")
	stop()
	require.True(t, r.command(event.EnvironmentUpdate, "one", event.Update{Parameters: params("name", `"bern"`)}).Accepted)
	rejected(fault.Busy, event.Update{}, "wait for it, or cancel it")
}
