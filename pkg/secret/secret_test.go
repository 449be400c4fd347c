package secret

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func newBox(t require.TestingT) *Box {
	key, err := NewKey()
	require.NoError(t, err)
	b, err := NewBox(key)
	require.NoError(t, err)
	return b
}

func TestSealedLeavesAreOpenedWhereverTheyStand(t *testing.T) {
	b := newBox(t)
	doc := `{"a":` + string(b.Seal(json.RawMessage(`"hunter2"`))) + `,"b":[1,{"c":` + string(b.Seal(json.RawMessage(`{"user":"u-1","n":42}`))) + `}]}`
	require.NotContains(t, doc, "hunter2")
	open, secrets, err := b.Open(json.RawMessage(doc))
	require.NoError(t, err)
	require.JSONEq(t, `{"a":"hunter2","b":[1,{"c":{"user":"u-1","n":42}}]}`, string(open))
	require.ElementsMatch(t, []string{"hunter2", "u-1", "42"}, secrets)
	require.JSONEq(t, `{"a":"(sensitive)","b":[1,{"c":"(sensitive)"}]}`, string(Show(json.RawMessage(doc))))
}

func TestOpenFailsOnWhatWasAltered(t *testing.T) {
	b := newBox(t)
	rapid.Check(t, func(t *rapid.T) {
		text := b.SealBytes([]byte(rapid.String().Draw(t, "plain")))
		at := rapid.IntRange(len(version), len(text)-1).Draw(t, "at")
		altered := []byte(text)
		altered[at] = "AB"[btoi(altered[at] == 'A')]
		if string(altered) == text {
			return
		}
		plain, err := b.OpenBytes(string(altered))
		if err == nil { // the last letter of base64 may carry bits that mean nothing
			original, _ := b.OpenBytes(text)
			require.Equal(t, original, plain)
		}
	})
	_, err := newBox(t).OpenBytes(b.SealBytes([]byte("x")))
	require.ErrorContains(t, err, "another cluster's key")
	for _, text := range []string{"", "v1.", "v2.abc", "v1.%%%", strings.Repeat("v1.", 9)} {
		_, err := b.OpenBytes(text)
		require.Error(t, err, text)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestKeyIsMadeOnceAndReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "key")
	first, err := LoadKey(file)
	require.NoError(t, err)
	again, err := LoadKey(file)
	require.NoError(t, err)
	require.Equal(t, first, again)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.WriteFile(file, []byte("short"), 0o600))
	_, err = LoadKey(file)
	require.ErrorContains(t, err, file)
}

func TestAFileIsReplacedAsAWholeAndForItsOwnerAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o644))
	require.NoError(t, os.WriteFile(file+".new", []byte("cut off, and longer than what comes"), 0o644))
	require.NoError(t, WriteFile(file, []byte("new")))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "new", string(text))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoFileExists(t, file+".new")
	require.Error(t, WriteFile(filepath.Join(t.TempDir(), "missing", "keys.json"), nil))
}

func TestKeyTravelsWrapped(t *testing.T) {
	b := newBox(t)
	public, private, err := KeyPair()
	require.NoError(t, err)
	wrapped, err := b.Wrap(public)
	require.NoError(t, err)
	other, err := Unwrap(wrapped, public, private)
	require.NoError(t, err)
	plain, err := other.OpenBytes(b.SealBytes([]byte("x")))
	require.NoError(t, err)
	require.Equal(t, "x", string(plain))
	_, stranger, err := KeyPair()
	require.NoError(t, err)
	_, err = Unwrap(wrapped, public, stranger)
	require.Error(t, err)
}

func TestWhatIsSealedForOnePlaceOpensNowhereElse(t *testing.T) {
	b := newBox(t)
	text := b.SealFor([]byte("hunter2"), "state", "notes", "a")
	plain, err := b.OpenFor(text, "state", "notes", "a")
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(plain))
	for _, place := range [][]string{nil, {"state"}, {"state", "notes"}, {"state", "notes", "b"}, {"state", "note", "sa"}, {"notes", "state", "a"}} {
		_, err := b.OpenFor(text, place...)
		require.ErrorContains(t, err, "another place", "%v", place)
	}
	_, err = b.OpenBytes(text)
	require.Error(t, err)
	_, err = newBox(t).OpenFor(text, "state", "notes", "a")
	require.Error(t, err)
}
