package consulkv

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

func (f *fixture) plan(t *testing.T, verb event.Verb) event.Plan {
	t.Helper()
	there := f.there(t)
	plan, err := f.Plan(t.Context(), f.request, verb)
	require.NoError(t, err)
	require.Equal(t, there, f.there(t), "looking changes nothing")
	return plan.Plan
}

func (f *fixture) observe(t *testing.T) event.Observation {
	t.Helper()
	found, err := f.Observe(t.Context(), f.request)
	require.NoError(t, err)
	return found
}

func (f *fixture) remove(t *testing.T, name string) {
	t.Helper()
	_, err := f.others.Delete(prefix(t)+"/"+name, nil)
	require.NoError(t, err)
}

const hidden = "hunter2-hunter2"

// TestDrift finds each kind of difference, and shows no secret.
func TestDrift(t *testing.T) {
	f := newFixture(t, Options{})
	f.request.Secrets = []string{hidden}
	keys := map[string]any{"same": "1", "changed": "1", "missing": 1, "unmarked": "1", "secret": map[string]string{"p": hidden}, "taken": "1", "empty": "1"}
	f.set(t, keys)
	f.apply(t)
	require.Equal(t, event.Observation{Presence: event.Present}, f.observe(t))

	f.overwrite(t, "changed", "2")
	f.overwrite(t, "secret", "another secret")
	f.overwrite(t, "empty", "")
	f.put(t, "unmarked", "1")
	f.remove(t, "missing")
	f.remove(t, "taken")
	f.put(t, "taken", "theirs")
	f.put(t, "foreign", "theirs")
	_, err := f.others.Put(f.marked(t, "extra"), nil)
	require.NoError(t, err)
	mark := number(t, markOf(f.request.TaskRef))
	at := prefix(t) + "/"
	require.Equal(t, event.Observation{Presence: event.Present, Drifted: true, Differences: []event.Difference{
		{Path: at + "changed", Change: event.ChangeUpdate, Before: "1", After: "2"},
		{Path: at + "empty", Change: event.ChangeUpdate, Before: "1", After: `""`},
		{Path: at + "extra", Change: event.ChangeCreate, After: secret.Shown, Sensitive: true},
		{Path: at + "missing", Change: event.ChangeDestroy, Before: "1"},
		{Path: at + "secret", Change: event.ChangeUpdate, Before: secret.Shown, After: secret.Shown, Sensitive: true},
		{Path: at + "taken", Change: event.ChangeReplace, Before: secret.Shown, After: secret.Shown, Sensitive: true},
		{Path: at + "unmarked flags", Change: event.ChangeUpdate, Before: mark, After: "0"},
	}}, f.observe(t))

	_, err = f.Plan(t.Context(), f.request, event.Apply)
	require.Equal(t, fault.Exists, failed(t, err).Code, "a plan fails as the apply would")
	f.remove(t, "taken")
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		{Path: at + "changed", Change: event.ChangeUpdate, Before: "2", After: "1"},
		{Path: at + "empty", Change: event.ChangeUpdate, Before: `""`, After: "1"},
		{Path: at + "missing", Change: event.ChangeCreate, After: "1"},
		{Path: at + "secret", Change: event.ChangeUpdate, Before: secret.Shown, After: secret.Shown, Sensitive: true},
		{Path: at + "taken", Change: event.ChangeCreate, After: "1"},
		{Path: at + "unmarked flags", Change: event.ChangeUpdate, Before: "0", After: mark},
		{Path: at + "extra", Change: event.ChangeDestroy, Before: "1"},
	}}, f.plan(t, event.Apply))
	f.apply(t)
	require.Equal(t, event.Observation{Presence: event.Present}, f.observe(t), "an apply mends it")
	require.Equal(t, "theirs", f.there(t)["foreign"])
}

// TestAPlanShowsNoSecretThatIsNoLongerOne: what was hidden when it was written is hidden when it is replaced.
func TestAPlanShowsNoSecretThatIsNoLongerOne(t *testing.T) {
	f := newFixture(t, Options{})
	f.request.Secrets = []string{hidden}
	f.set(t, map[string]any{"a": "x " + hidden, "b": hidden})
	f.apply(t)
	f.request.Secrets = nil // the template has no more of it
	f.set(t, map[string]any{"a": "plain"})
	plan := f.plan(t, event.Apply)
	text, err := json.Marshal(plan)
	require.NoError(t, err)
	require.NotContains(t, string(text), hidden)
	require.Len(t, plan.Differences, 2)
	f.apply(t)
	f.set(t, map[string]any{"a": "plainer"})
	require.Equal(t, "plain", f.plan(t, event.Apply).Differences[0].Before)
}

func TestAPlanOfAMove(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]string{"a": "1"}, "prefix", prefix(t)+"/old")
	f.apply(t)
	f.put(t, "old/foreign", "theirs")
	f.set(t, map[string]string{"a": "1"}, "prefix", prefix(t)+"/new")
	require.Equal(t, event.Plan{Change: event.ChangeReplace, Differences: []event.Difference{
		{Path: prefix(t) + "/new/a", Change: event.ChangeCreate, After: "1"},
		{Path: prefix(t) + "/old/a", Change: event.ChangeDestroy, Before: "1"},
	}}, f.plan(t, event.Apply))
	require.Equal(t, event.Plan{Change: event.ChangeDestroy, Differences: []event.Difference{
		{Path: prefix(t) + "/old/a", Change: event.ChangeDestroy, Before: "1"},
	}}, f.plan(t, event.Destruct))
}

func TestAPlanWithUnknownKeys(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]any{"a": "1", "deep/b.c": "1", "d": "1"})
	f.apply(t)
	f.set(t, map[string]any{"a": "2", "deep/b.c": nil, "d": "1"})
	f.request.Unknown = map[string][]string{`keys["deep/b.c"].x`: {"y", "x"}}
	at := prefix(t) + "/"
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		{Path: at + "a", Change: event.ChangeUpdate, Before: "1", After: "2"},
		{Path: at + "deep/b.c", Change: event.ChangeUnknown, Until: []string{"x", "y"}},
	}}, f.plan(t, event.Apply), "some of it is certain")
	for _, path := range []string{"keys", "prefix", "format", "keys.unheard-of"} {
		f.request.Unknown = map[string][]string{path: {"x"}}
		require.Equal(t, event.Plan{Change: event.ChangeUnknown, Until: []string{"x"}}, f.plan(t, event.Apply))
	}
}
