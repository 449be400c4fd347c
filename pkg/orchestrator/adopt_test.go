package orchestrator

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestWhatCantBeTakenOverIsRefusedBeforeAnythingBegins(t *testing.T) {
	r := newRig(t)
	r.start()
	adopt := func(a event.Adopt, addresses ...string) string {
		t.Helper()
		a.Resources = map[string]json.RawMessage{}
		for _, address := range addresses {
			a.Resources[address] = json.RawMessage("true")
		}
		return r.refused(fault.Invalid, event.EnvironmentAdopt, "one", a)
	}
	require.Contains(t, adopt(event.Adopt{Templates: []string{"small"}}), "\"resources\" is required")
	require.Contains(t, adopt(event.Adopt{}, "small.noop.a"), "what it is to be made of")
	require.Contains(t, adopt(event.Adopt{Templates: []string{"small"}}, "small.noop.a"), `the executor "noop" has no way to`)
	r.refused(fault.NotFound, event.EnvironmentAdopt, "one", event.Adopt{Templates: []string{"small"}, Resources: map[string]json.RawMessage{"small.noop.z": json.RawMessage("true")}})
	r.refused(fault.Invalid, event.EnvironmentPlan, "one", event.Proposal{Templates: []string{"small"}, Adopt: map[string]json.RawMessage{"small.noop.a": json.RawMessage("true")}})
	_, err := r.store.Environment(t.Context(), "one")
	require.Error(t, err, "nothing was made")
}
