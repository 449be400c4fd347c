package stack

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const hidden = "8e7Kq0zPXvN3mYwRbTq1"

// TestASeekerFindsWhatIsThere: it finds nothing only where there is nothing.
func TestASeekerFindsWhatIsThere(t *testing.T) {
	for name, text := range map[string]string{
		"clear": "x" + hidden + "y", "hex": hex.EncodeToString([]byte("ab" + hidden + "cd")),
		"base64 0": base64.StdEncoding.EncodeToString([]byte(hidden + "!")), "base64 1": base64.StdEncoding.EncodeToString([]byte("a" + hidden + "bc")),
		"base64 2": base64.StdEncoding.EncodeToString([]byte("ab" + hidden)), "base64 3": base64.URLEncoding.EncodeToString([]byte("abc" + hidden + "??")),
	} {
		s, err := NewSeeker(hidden)
		require.NoError(t, err)
		s.Text("log", []byte("before "+text+" after"))
		require.Len(t, s.Found, 1, name)
		require.True(t, strings.HasPrefix(s.Found[0], "log at byte"), s.Found)
	}
	s, err := NewSeeker(hidden)
	require.NoError(t, err)
	s.Text("log", []byte(hidden[1:]+hidden[:19]))
	require.Empty(t, s.Found)
	_, err = NewSeeker("short")
	require.Error(t, err)
}

func TestASeekerReadsEveryFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "nothing"), []byte("nothing"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "b", "store.db"), []byte("\x00\x01"+hidden), 0o600))
	s, err := NewSeeker(hidden)
	require.NoError(t, err)
	require.NoError(t, s.Folder(dir))
	require.Equal(t, 2, s.Files)
	require.Equal(t, []string{filepath.Join(dir, "a", "b", "store.db") + " at byte 2"}, s.Found)
}
