package orchestrator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// carryOut sends a command and waits for the end of its operation.
func (r *rig) carryOut(command, name string, data any) environment.OperationRecord {
	r.Helper()
	answer := r.command(command, name, data)
	require.True(r, answer.Accepted, "%v", answer.Error)
	var o environment.OperationRecord
	require.Eventually(r, func() bool {
		ops, _, err := r.store.Operations(r.Context(), name, store.Page{})
		if err == nil {
			o = ops[0]
		}
		return err == nil && o.ID == answer.Operation && o.FinishedAt != nil
	}, patience, 5*time.Millisecond)
	require.Equal(r, environment.OperationSucceeded, o.Status, "%v", o.Error)
	return o
}

func (r *rig) refused(code fault.Code, command, name string, data any) string {
	r.Helper()
	answer := r.command(command, name, data)
	require.False(r, answer.Accepted)
	require.Equal(r, code, answer.Error.Code, "%v", answer.Error)
	return answer.Error.Message
}

func (r *rig) revisions(name string) []history.Revision {
	r.Helper()
	list, err := history.Revisions(r.Context(), r.store, name)
	require.NoError(r, err)
	return list
}

// value of a parameter in force; secrets are opened.
func (r *rig) value(name, parameter string) string {
	r.Helper()
	record, err := r.store.Environment(r.Context(), name)
	require.NoError(r, err)
	open, _, err := r.box.Open(record.Parameters[parameter])
	require.NoError(r, err)
	return string(open)
}

func TestRollbackGoesByTheJournalAndTheStore(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	_, stop := r.start()
	r.runner("default")
	r.carryOut(event.EnvironmentCreate, "one", event.Create{Templates: []string{"city"}, Parameters: params("name", `"ulm"`, "token", `"first-secret"`)})
	stop()
	r.city("2.0.0", "bern", `resource "noop" "new" {}`)
	r.start()
	r.update("one", event.Update{Templates: []string{"city"}, Parameters: params("name", "null", "token", `"second-secret"`)})
	require.Equal(t, `"bern"`, r.value("one", "name"))

	// The catalogue has lost the template: nobody asks it.
	require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "catalogue", "city")))
	catalogue, err := template.OpenCatalogue(filepath.Join(r.dir, "catalogue"), r.kinds(), nil)
	require.NoError(t, err)
	r.catalogue = catalogue
	plan := r.planned("one", r.command(event.EnvironmentPlan, "one", event.Proposal{Revision: 1}).Operation)
	require.Equal(t, []environment.ParameterChange{{Name: "name", Before: []byte(`"bern"`), After: []byte(`"ulm"`)},
		{Name: "token", Before: []byte(`"` + secret.Shown + `"`), After: []byte(`"` + secret.Shown + `"`)}}, plan.Changed)
	require.Equal(t, []string{"2.0.0", "1.0.0"}, []string{plan.Before[0].Version, plan.Templates[0].Version})

	o := r.carryOut(event.EnvironmentRollback, "one", event.Rollback{Revision: 1})
	require.Equal(t, environment.UpdateOperation, o.Kind)
	require.Equal(t, &environment.Origin{Revision: 1}, o.Origin)
	require.Equal(t, []string{`"ulm"`, `"first-secret"`}, []string{r.value("one", "name"), r.value("one", "token")})
	record, _ := r.store.Environment(t.Context(), "one")
	require.Equal(t, "1.0.0", record.Templates[0].Version)
	require.NotContains(t, r.addresses("one"), "city.noop.new")
	require.Contains(t, string(record.Parameters["token"]), secret.Field, "what was sealed is sealed")
	require.ElementsMatch(t, []string{"name", "token"}, record.Given)

	list := r.revisions("one")
	require.Len(t, list, 3)
	require.Equal(t, []history.Kind{history.ByCreate, history.ByUpdate, history.ByRollback}, []history.Kind{list[0].Kind, list[1].Kind, list[2].Kind})
	require.Equal(t, []string{"name", "token"}, []string{list[2].Changed[0].Name, list[2].Changed[1].Name})
	require.Equal(t, environment.OperationSucceeded, list[2].Outcome)
	require.Equal(t, list[0].Templates, list[2].Templates)

	require.Contains(t, r.refused(fault.NotFound, event.EnvironmentRollback, "one", event.Rollback{Revision: 4}), "its last one is 3")
	r.refused(fault.NotFound, event.EnvironmentRollback, "none", event.Rollback{Revision: 1})
	r.refused(fault.Invalid, event.EnvironmentRollback, "one", event.Rollback{})
	r.refused(fault.Invalid, event.EnvironmentPlan, "one", event.Proposal{Revision: 1, Heal: true})
	r.refused(fault.NotFound, event.EnvironmentPlan, "none", event.Proposal{Revision: 1})
	entries, err := r.store.Entries(t.Context(), store.Selection{Partition: -1, Environment: "one"})
	require.NoError(t, err)
	for _, e := range entries {
		require.NotContains(t, string(e.Data), "-secret", e.Type)
	}
}

func TestCloneAndPromote(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	_, stop := r.start()
	r.runner("default")
	// Names of both partitions.
	r.carryOut(event.EnvironmentCreate, "a", event.Create{Templates: []string{"city"}, Parameters: params("token", `"a-secret"`, "zones", `["x"]`), Tags: []string{"mine"}})
	o := r.carryOut(event.EnvironmentClone, "b", event.Clone{From: "a", Parameters: params("name", `"b-name"`), Tags: []string{"other"}})
	require.Equal(t, environment.CreateOperation, o.Kind)
	require.Equal(t, &environment.Origin{Environment: "a", Revision: 1}, o.Origin)
	require.Equal(t, []string{`"b-name"`, `"a-secret"`, `["x"]`}, []string{r.value("b", "name"), r.value("b", "token"), r.value("b", "zones")})
	b, _ := r.store.Environment(t.Context(), "b")
	require.Equal(t, []string{"other"}, b.Tags)
	r.carryOut(event.EnvironmentClone, "c", event.Clone{From: "b"})
	r.carryOut(event.EnvironmentClone, "d", event.Clone{From: "c", Parameters: params("zones", "null")})
	require.Equal(t, `["a","b"]`, r.value("d", "zones"))

	stop()
	r.city("2.0.0", "bern", "")
	r.start()
	r.update("a", event.Update{Templates: []string{"city"}, Parameters: params("zones", `["x","y"]`, "token", `"a-newer-secret"`)})
	plan := r.planned("b", r.command(event.EnvironmentPlan, "b", event.Proposal{From: "a", Keep: []string{"name", "token"}}).Operation)
	require.Equal(t, []environment.ParameterChange{{Name: "zones", Before: []byte(`["x"]`), After: []byte(`["x","y"]`)}}, plan.Changed)
	o = r.carryOut(event.EnvironmentPromote, "b", event.Promote{From: "a", Keep: []string{"name", "token"}})
	require.Equal(t, &environment.Origin{Environment: "a", Revision: 2}, o.Origin)
	require.Equal(t, []string{`"b-name"`, `"a-secret"`, `["x","y"]`}, []string{r.value("b", "name"), r.value("b", "token"), r.value("b", "zones")})
	b, _ = r.store.Environment(t.Context(), "b")
	require.Equal(t, "2.0.0", b.Templates[0].Version)

	r.update("a", event.Update{Parameters: params("zones", `["z"]`)})
	r.carryOut(event.EnvironmentPromote, "b", event.Promote{From: "a"})
	require.Equal(t, []string{`"b-name"`, `"a-secret"`, `["z"]`}, []string{r.value("b", "name"), r.value("b", "token"), r.value("b", "zones")}, "what it keeps is remembered")
	r.carryOut(event.EnvironmentPromote, "b", event.Promote{From: "a", Revision: 1, Keep: []string{}, Parameters: params("name", `"given"`)})
	require.Equal(t, []string{`"given"`, `"a-secret"`, `["x"]`}, []string{r.value("b", "name"), r.value("b", "token"), r.value("b", "zones")})
	list := r.revisions("b")
	require.Equal(t, []string{"name", "token"}, list[2].Kept)
	require.Empty(t, list[3].Kept)
	require.Equal(t, []history.Kind{history.ByClone, history.ByPromote, history.ByPromote, history.ByPromote}, []history.Kind{list[0].Kind, list[1].Kind, list[2].Kind, list[3].Kind})

	r.refused(fault.NotFound, event.EnvironmentClone, "e", event.Clone{From: "nobody"})
	r.refused(fault.NotFound, event.EnvironmentPromote, "e", event.Promote{From: "a"})
	r.refused(fault.Exists, event.EnvironmentClone, "b", event.Clone{From: "a"})
	r.refused(fault.Invalid, event.EnvironmentPromote, "a", event.Promote{From: "a"})
	r.refused(fault.Invalid, event.EnvironmentClone, "e", event.Clone{})
	r.refused(fault.InvalidParameter, event.EnvironmentPromote, "b", event.Promote{From: "a", Parameters: params("nme", `"x"`)})
	r.carryOut(event.EnvironmentDestroy, "c", event.Destroy{})
	r.carryOut(event.EnvironmentClone, "e", event.Clone{From: "c"})
	require.Equal(t, `"b-name"`, r.value("e", "name"), "it is known what was destroyed")
}

func TestOnlyWhatIsDeployedIsPromotedUnasked(t *testing.T) {
	r := newRig(t)
	r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "a", event.Create{Templates: []string{"elsewhere"}}).Accepted) // nobody serves its pool
	r.carryOut(event.EnvironmentCreate, "b", event.Create{Templates: []string{"small"}})
	require.Contains(t, r.refused(fault.Conflict, event.EnvironmentPromote, "b", event.Promote{From: "a"}), "is running")
	answer := r.command(event.EnvironmentPromote, "b", event.Promote{From: "a", Revision: 1})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, environment.OperationRunning, r.revisions("b")[1].Outcome)
	r.runner("elsewhere")
	r.await("b", environment.Deployed)
	require.Equal(t, environment.OperationSucceeded, r.revisions("b")[1].Outcome)
}
