package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func bytesOf(text string) *bytes.Buffer { return bytes.NewBufferString(text) }

func TestLiterals(t *testing.T) {
	for text, want := range map[string]string{
		"2":             `2`,
		"-1.5":          `-1.5`,
		"true":          `true`,
		"null":          `null`,
		`["a","b"]`:     `["a","b"]`,
		`{"a": 1}`:      `{"a": 1}`,
		`"2"`:           `"2"`,
		"eu":            `"eu"`,
		"":              `""`,
		"a b":           `"a b"`,
		"1.10":          `"1.10"`,
		"1e3":           `"1e3"`,
		"0123":          `"0123"`,
		"10.0.0.0/16":   `"10.0.0.0/16"`,
		"[unquoted]":    `"[unquoted]"`,
		"a=b":           `"a=b"`,
		"say \"hello\"": `"say \"hello\""`,
	} {
		require.Equal(t, want, string(literal(text)), text)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestParametersOfFilesAndFlagsAndWhatComesLaterWins(t *testing.T) {
	hclFile := write(t, "a.hcl", "replicas = 2\nzones = [\"a\", \"b\"]\nlabels = { team = \"notes\" }\nname = \"x-${1 + 1}\"\n")
	jsonFile := write(t, "b.json", `{"replicas": 3, "version": "1.10"}`)
	got, err := parameters([]string{hclFile, jsonFile}, []string{"zones=[\"c\"]", "extra=1"})
	require.NoError(t, err)
	data, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, `{"replicas":3,"zones":["c"],"labels":{"team":"notes"},"name":"x-2","version":"1.10","extra":1}`, string(data))
}

func TestMistakesOfParameterFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		file, text string
		line       int
	}{
		"syntax":    {"p.hcl", "a = 1\nb = = 2\n", 2},
		"block":     {"p.hcl", "a = 1\nb {\n}\n", 2},
		"reference": {"p.hcl", "a = var.x\n", 1},
		"json":      {"p.json", "{\n\"a\": 1,\n}", 3},
		"no object": {"p.json", "[1]", 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parameters([]string{write(t, tt.file, tt.text)}, nil)
			var f *fault.Error
			require.True(t, errors.As(err, &f), "%v", err)
			require.Equal(t, tt.line, f.Diagnostics[0].Line)
		})
	}
	_, err := parameters([]string{"/nowhere/p.hcl"}, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestCreateCommand(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f := createFlags{wantedFlags{contentFlags: contentFlags{templates: []string{"notes@1.0.0"}, params: []string{"replicas=2"}}, tags: []string{"a"}, destroyAt: "8h", failFast: true}}
	data, err := f.command(now)
	require.NoError(t, err)
	var c event.Create
	require.NoError(t, event.DecodeData(data, &c))
	require.Equal(t, now.Add(8*time.Hour), *c.DestroyAt)
	require.Equal(t, `2`, string(c.Parameters["replicas"]))
	require.True(t, c.FailFast)

	f.destroyAt = "2027-01-31T18:00:00Z"
	data, err = f.command(now)
	require.NoError(t, err)
	require.Contains(t, string(data), `"destroy_at":"2027-01-31T18:00:00Z"`)
}
