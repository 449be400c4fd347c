package consulkv

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestValuesAreWrittenAsAsked(t *testing.T) {
	f := newFixture(t, Options{})
	keys := map[string]any{
		"text": "as it is\n", "empty": "", "number": json.RawMessage("12345678901234567890.10"), "yes": true, "none": nil,
		"list": []any{"<a&b>", 1}, "deep/object": json.RawMessage(`{"z": 1, "a": "\u003c"}`),
	}
	f.set(t, keys)
	outputs := f.apply(t)
	want := map[string]string{
		"text": "as it is\n", "empty": "", "number": "12345678901234567890.10", "yes": "true", "list": `["<a&b>",1]`,
		"deep/object": `{"a":"<","z":1}`,
	}
	require.Equal(t, want, f.there(t))
	require.JSONEq(t, `"`+prefix(t)+`"`, string(outputs["prefix"].Value))
	var names []string
	require.NoError(t, json.Unmarshal(outputs["keys"].Value, &names))
	require.Len(t, names, len(want))
	require.Equal(t, prefix(t)+"/deep/object", names[0])
	pair, _, err := f.others.Get(prefix(t)+"/yes", nil)
	require.NoError(t, err)
	require.JSONEq(t, string(outputs["modify_index"].Value), number(t, pair.ModifyIndex))
	require.Equal(t, markOf(f.request.TaskRef), pair.Flags)
	require.Less(t, pair.Flags, uint64(1)<<53)

	f.set(t, keys, "format", "json", "prefix", prefix(t)+"/")
	f.apply(t)
	want["text"], want["empty"] = `"as it is\n"`, `""`
	require.Equal(t, want, f.there(t))
}

func number(t *testing.T, n uint64) string {
	t.Helper()
	text, err := json.Marshal(n)
	require.NoError(t, err)
	return string(text)
}

func TestKeysThatTheTemplateDropsAreRemovedAndNoOthers(t *testing.T) {
	f := newFixture(t, Options{})
	f.put(t, "foreign", "theirs")
	f.put(t, "group-0/foreign", "theirs")
	f.set(t, many(150, "one"))
	f.apply(t)
	require.Len(t, f.there(t), 152)

	f.request.Outputs = nil // lost
	f.set(t, map[string]string{"group-0/key-0000": "two", "new": "one"})
	f.apply(t)
	require.Equal(t, map[string]string{"foreign": "theirs", "group-0/foreign": "theirs", "group-0/key-0000": "two", "new": "one"}, f.there(t))

	f.request.Outputs = nil
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Equal(t, map[string]string{"foreign": "theirs", "group-0/foreign": "theirs"}, f.there(t))
	require.Equal(t, event.Absent, f.presence(t), "what is there is not ours")
}

func TestAForeignKeyInTheWayIsNamedAndNothingIsWritten(t *testing.T) {
	f := newFixture(t, Options{})
	f.put(t, "b", "theirs")
	f.set(t, map[string]string{"a": "ours", "b": "ours"})
	_, err := f.Apply(t.Context(), f.request)
	e := failed(t, err)
	require.Equal(t, fault.Exists, e.Code)
	require.Equal(t, fault.GiveUp, e.Disposition)
	require.Contains(t, e.Message, prefix(t)+"/b")
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Equal(t, map[string]string{"b": "theirs"}, f.there(t))

	other := newFixture(t, Options{})
	other.request.Step = "notes.consul_kv.other"
	other.set(t, map[string]string{"a": "of another step"})
	other.apply(t)
	f.set(t, map[string]string{"a": "ours"})
	_, err = f.Apply(t.Context(), f.request)
	require.Equal(t, fault.Exists, failed(t, err).Code, "another step's key is a foreign one")
}

// TestAKeyWrittenAnewByHandStaysOurs: "consul kv put" leaves no flags, but the key was there all the time.
func TestAKeyWrittenAnewByHandStaysOurs(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]string{"a": "ours", "b": "ours"})
	f.apply(t)
	f.put(t, "a", "by hand")
	f.apply(t)
	require.Equal(t, map[string]string{"a": "ours", "b": "ours"}, f.there(t))

	f.put(t, "a", "by hand")
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Empty(t, f.there(t))

	f.put(t, "a", "a key of theirs, after ours was gone")
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Len(t, f.there(t), 1)
	require.Equal(t, event.Absent, f.presence(t))
}

func TestKeysMoveWithThePrefix(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]string{"a": "1", "b": "2"}, "prefix", prefix(t)+"/old")
	f.apply(t)
	f.put(t, "old/foreign", "theirs")
	f.set(t, map[string]string{"a": "1"}, "prefix", prefix(t)+"/old/new")
	f.apply(t)
	require.Equal(t, map[string]string{"old/new/a": "1", "old/foreign": "theirs"}, f.there(t))
	f.set(t, map[string]string{"new/a": "1", "c": "3"}, "prefix", prefix(t)+"/old")
	f.apply(t)
	require.Equal(t, map[string]string{"old/new/a": "1", "old/c": "3", "old/foreign": "theirs"}, f.there(t))

	f.request.Inputs = nil
	require.Equal(t, event.Present, f.presence(t), "where they are is known from the outputs alone")
	f.set(t, map[string]string{"x": "1"}, "prefix", prefix(t)+"/never-applied")
	require.Equal(t, event.Present, f.presence(t), "the last apply's keys are still there")
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Equal(t, map[string]string{"old/foreign": "theirs"}, f.there(t))
}

func TestLargeValues(t *testing.T) {
	f := newFixture(t, Options{})
	big := func(kib int) string { return strings.Repeat("x", kib<<10) }
	keys := map[string]string{"largest": big(512), "small": "1"}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		keys[name] = big(150)
	}
	f.set(t, keys)
	f.apply(t)
	require.Equal(t, keys, f.there(t))
	require.EqualValues(t, 5, f.writes.Load(), "as many as fit go together, and the largest goes alone")

	keys["largest"] += "y"
	f.set(t, keys)
	_, err := f.Apply(t.Context(), f.request)
	e := failed(t, err)
	require.Equal(t, fault.GiveUp, e.Disposition)
	require.Contains(t, e.Message, prefix(t)+"/largest")
	require.Contains(t, e.Message, "524289")
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Empty(t, f.there(t))
}

func TestWhatIsNoGoodIsSaid(t *testing.T) {
	f := newFixture(t, Options{})
	for name, c := range map[string]struct{ inputs, says string }{
		"no object":      {`[]`, "not those of a consul_kv block"},
		"no prefix":      {`{"keys":{}}`, "prefix"},
		"slash":          {`{"prefix":"/a","keys":{}}`, `"/a"`},
		"dots":           {`{"prefix":"a/../b","keys":{}}`, `"a/../b"`},
		"keys":           {`{"prefix":"a","keys":5}`, "object or a map"},
		"key with slash": {`{"prefix":"a","keys":{"b/":1}}`, `"b/"`},
		"empty key":      {`{"prefix":"a","keys":{"":1}}`, `""`},
		"control":        {`{"prefix":"a","keys":{"b\u0000":1}}`, `\x00`},
		"format":         {`{"prefix":"a","keys":{},"format":"yaml"}`, `"yaml"`},
	} {
		t.Run(name, func(t *testing.T) {
			f.request.Inputs = json.RawMessage(c.inputs)
			_, err := f.Apply(t.Context(), f.request)
			require.Equal(t, fault.GiveUp, failed(t, err).Disposition)
			require.Contains(t, failed(t, err).Message, c.says)
			if name != "no object" {
				require.NoError(t, f.Destroy(t.Context(), f.request), "there is nothing of it")
			}
		})
	}
}
