package orchestrator

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/impact"
)

// impact is what the template in the catalogue's folder would do to all environments made from it.
func (r *rig) impact(name string) map[string]environment.Effect {
	r.Helper()
	edited, err := r.catalogue.Get(r.Context(), name)
	require.NoError(r, err)
	x := impact.New(impact.Options{Store: r.store, Kinds: r.kinds(), Box: r.box, Scratch: filepath.Join(r.dir, "impact")})
	all := map[string]environment.Effect{}
	page, err := x.Of(r.Context(), impact.Question{Template: edited, Limit: 10})
	require.NoError(r, err)
	require.Empty(r, page.Next)
	for _, e := range page.Effects {
		all[e.Environment] = e
	}
	text, err := json.Marshal(all)
	require.NoError(r, err)
	require.NotContains(r, string(text), "t0k3n")
	return all
}

func changes(e environment.Effect) map[string]event.Change {
	all := map[string]event.Change{}
	for _, s := range e.Steps {
		all[strings.TrimPrefix(s.Address, "city.noop.")] = s.Change
	}
	return all
}

func TestWhatAnEditedTemplateWouldDo(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	r.street()
	r.start()
	r.runner("default")
	r.make("one", "city", "token", `"t0k3n-of-one"`)
	r.make("two", "city", "token", `"t0k3n-of-two"`, "name", `"bern"`, "zones", `["a"]`)
	r.make("net", "net")
	for _, name := range []string{"one", "two", "net"} {
		r.await(name, environment.Deployed)
	}
	require.Empty(t, r.impact("city")["one"].Steps, "nothing is edited yet")

	r.city("1.1.0", "basel", "resource \"noop\" \"new\" {\n  inputs = { on = resource.noop.aside.outputs.inputs }\n}\n")
	all := r.impact("city@1.1.0")
	require.Len(t, all, 2)
	require.Equal(t, map[string]event.Change{"base": event.ChangeUpdate, "top": event.ChangeUnknown, "new": event.ChangeCreate}, changes(all["one"]))
	require.Equal(t, map[string]event.Change{"new": event.ChangeCreate}, changes(all["two"]), "its name was given")
	require.Equal(t, "1.0.0", all["two"].Now.Version)

	text := strings.NewReplacer("VERSION", "2.0.0", "DEFAULT", "ulm", "EXTRA", "", `"noop" "aside"`, `"noop" "beside"`,
		"parameter \"zones\" {\n  type    = list(string)\n  default = [\"a\", \"b\"]\n}\n", "", "toset(param.zones)", `toset(["a"])`).Replace(city)
	r.write(map[string]string{"city": text})
	r.street()
	all = r.impact("city@2.0.0")
	require.Equal(t, map[string]event.Change{"beside": event.ChangeCreate, "aside": event.ChangeDestroy, `zone["b"]`: event.ChangeDestroy}, changes(all["one"]))
	require.Equal(t, fault.InvalidParameter, all["two"].Error.Code)
	require.Contains(t, all["two"].Error.Message, `parameter "zones" is not declared by template city`)
	entries := len(r.steps("one", "op-1"))
	require.Equal(t, 5, entries, "nothing was done")
}
