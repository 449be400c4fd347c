package orchestrator

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/impact"
)

// sent asks about a folder with this text, as a stranger does.
func (r *rig) sent(x *impact.Examiner, text string) map[string]environment.Effect {
	r.Helper()
	packed, err := bundle.Pack(fstest.MapFS{"template.hcl": {Data: []byte(text)}}, ".")
	require.NoError(r, err)
	ref, page, err := x.OfSent(r.Context(), "city", packed.Data, impact.Question{Limit: 10})
	require.NoError(r, err)
	require.Equal(r, "city", ref.Name)
	all := map[string]environment.Effect{}
	for _, e := range page.Effects {
		all[e.Environment] = e
	}
	said, err := json.Marshal(page)
	require.NoError(r, err)
	require.NotContains(r, string(said), "t0k3n")
	return all
}

// TestStrangersLearnNoSecret: who only reads may ask about any template, also about one that is written to find a secret out.
func TestStrangersLearnNoSecret(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	r.start()
	r.runner("default")
	r.make("one", "city", "token", `"t0k3n"`)
	r.await("one", environment.Deployed)
	x := impact.New(impact.Options{Store: r.store, Kinds: r.kinds(), Sent: r.kinds(), Box: r.box, Scratch: filepath.Join(r.dir, "impact")})
	edited := func(extra string, more ...string) string {
		return strings.NewReplacer(append([]string{"VERSION", "1.1.0", "DEFAULT", "ulm", "EXTRA", extra}, more...)...).Replace(city)
	}
	plain := r.sent(x, edited(""))["one"]
	require.Nil(t, plain.Error)
	require.Equal(t, map[string]event.Change{"top": event.ChangeUnknown}, changes(plain))
	require.Equal(t, []string{"parameter token"}, plain.Steps[0].After)
	require.Equal(t, 4, plain.Counts[event.ChangeNone])

	key := r.sent(x, edited("resource \"noop\" \"spy\" {\n  for_each = toset([nonsensitive(param.token)])\n}\n"))["one"]
	require.Equal(t, fault.InvalidTemplate, key.Error.Code)
	require.Contains(t, key.Error.Message, "depends on a secret")

	tested := edited("", "  sensitive = true\n", "  validation {\n    condition = param.token != \"t0k3\"\n    error_message = \"it is ${param.token}\"\n  }\n")
	right := r.sent(x, strings.ReplaceAll(tested, `"t0k3"`, "join(\"\", [\"t0k\", \"3n\"])"))["one"]
	require.Equal(t, r.sent(x, tested)["one"].Counts, right.Counts, "a validation tells a right guess from a wrong one")
	require.Nil(t, right.Error)

	guess := func(word string) environment.Effect {
		return r.sent(x, edited("", "param.token }", "join(\"\", [\"t0k\", \""+word+"\"]) }"))["one"]
	}
	require.Equal(t, map[string]event.Change{"top": event.ChangeUpdate}, changes(guess("3n")), "a right guess looks like any other")
	require.Equal(t, changes(guess("no")), changes(guess("3n")))
	renamed := func(word string) environment.Effect {
		return r.sent(x, edited("moved {\n  from = resource.noop.top\n  to   = resource.noop.peak\n}\n", `"noop" "top"`, `"noop" "peak"`,
			"param.token }", "join(\"\", [\"t0k\", \""+word+"\"]) }"))["one"]
	}
	require.Nil(t, renamed("3n").Error)
	require.Equal(t, renamed("no").Steps, renamed("3n").Steps, "nor does one under another name")

	packed, err := bundle.Pack(fstest.MapFS{"template.hcl": {Data: []byte(edited(""))}}, ".")
	require.NoError(t, err)
	_, _, err = x.OfSent(t.Context(), "town", packed.Data, impact.Question{Limit: 10})
	require.ErrorContains(t, err, `template "city", not "town"`)
	_, _, err = x.OfSent(t.Context(), "city", packed.Data[:100], impact.Question{Limit: 10})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	many := r.sent(x, edited("resource \"noop\" \"many\" {\n  count = 900000\n}\n"))["one"]
	require.Contains(t, many.Error.Message, "at most 20000 nodes")
}
