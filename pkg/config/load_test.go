package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestDefaultsAreValidAndAreWhatTheExampleSays(t *testing.T) {
	plain, err := Load(Inputs{})
	require.NoError(t, err)
	for _, s := range Table() {
		require.Equal(t, "default", plain.Origin(s.Path), s.Path)
		require.True(t, plain.IsDefault(s.Path))
	}
	require.Equal(t, 20*time.Second, plain.StopTimeout)
	require.Equal(t, []string{"default"}, plain.Runner.Pools)

	text, err := os.ReadFile(filepath.Join("testdata", "vivarium.hcl"))
	require.NoError(t, err)
	example, err := Load(Inputs{FileName: "vivarium.hcl", File: text})
	require.NoError(t, err)
	require.True(t, example.Primary)
	example.Primary, example.origins, plain.origins = false, nil, nil
	require.Equal(t, plain, example)
}

func TestExampleAndReadmeNameEverySetting(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("testdata", "vivarium.hcl"))
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join("..", "..", "cmd", "README.md"))
	require.NoError(t, err)
	for _, s := range Table() {
		name := s.Path[strings.LastIndex(s.Path, ".")+1:]
		require.Contains(t, string(example), name)
		require.Contains(t, string(readme), "`"+s.Path+"`")
		require.Contains(t, string(readme), "`"+s.Variable+"`")
		if s.Flag != "" {
			require.Contains(t, string(readme), "`--"+s.Flag+"`")
		}
	}
}

func TestTheNearerSourceWins(t *testing.T) {
	in := Inputs{
		FileName:  "v.hcl",
		File:      []byte("listen = \"a:1\"\nparallelism = 3\nlog {\n  level = \"warn\"\n}\nrunner {\n  pools = [\"x\", \"y\"]\n}\n"),
		Variables: map[string]string{"VIVARIUM_LISTEN": "b:2", "VIVARIUM_PARALLELISM": "4", "VIVARIUM_PORT": "tcp://1.2.3.4:5"},
		Flags:     map[string]string{"listen": "c:3"},
	}
	s, err := Load(in)
	require.NoError(t, err)
	require.Equal(t, "c:3", s.Listen)
	require.Equal(t, "--listen", s.Origin("listen"))
	require.Equal(t, 4, s.Parallelism)
	require.Equal(t, "VIVARIUM_PARALLELISM", s.Origin("parallelism"))
	require.Equal(t, "warn", s.Log.Level)
	require.Equal(t, "v.hcl:4", s.Origin("log.level"))
	require.Equal(t, []string{"x", "y"}, s.Runner.Pools)
	require.False(t, s.IsDefault("runner.pools"))
}

func TestListsOfVariablesAndFlagsAreSeparatedByCommas(t *testing.T) {
	s, err := Load(Inputs{Flags: map[string]string{"pool": "eu, us"}})
	require.NoError(t, err)
	require.Equal(t, []string{"eu", "us"}, s.Runner.Pools)
}

func diagnosticsOf(t *testing.T, in Inputs) []fault.Diagnostic {
	t.Helper()
	_, err := Load(in)
	var f *fault.Error
	require.True(t, errors.As(err, &f), "%v", err)
	require.Equal(t, Invalid, f.Code)
	return f.Diagnostics
}

func TestMistakesOfAFile(t *testing.T) {
	tests := map[string]struct {
		file    string
		line    int
		summary string
		detail  string
	}{
		"unknown attribute":           {"primary = true\nlisten_on = \"x\"", 2, "Unsupported argument", "listen_on"},
		"near name":                   {"\nlistn = \"x:1\"", 2, "Unsupported argument", `Did you mean "listen"?`},
		"unknown block":               {"logs {\n}", 1, "Unsupported block type", `Did you mean "log"?`},
		"unknown attribute in block":  {"log {\n  levl = \"info\"\n}", 2, "Unsupported argument", `Did you mean "level"?`},
		"number as text":              {"partitions = \"16\"", 1, "Wrong type", "has to be a number, not a string"},
		"text as number":              {"listen = 8090", 1, "Wrong type", "has to be a text, not a number"},
		"list of numbers":             {"runner {\n pools = [1]\n}", 2, "Wrong type", "list of text"},
		"empty list":                  {"runner {\n pools = []\n}", 2, "Invalid value", "at least one"},
		"block twice":                 {"log {\n}\nlog {\n}", 3, "Duplicate block", "line 1"},
		"attribute twice":             {"primary = true\nprimary = false", 2, "Attribute redefined", "primary"},
		"out of range":                {"partitions = 0", 1, "Invalid value", "from 1 to 1024"},
		"broken number":               {"partitions = 1.5", 1, "Invalid value", "whole number"},
		"duration":                    {"stop_timeout = \"soon\"", 1, "Invalid value", `it is "soon"`},
		"lease that starves runners":  {"cluster {\n lease = \"3s\"\n}", 2, "Invalid value", "at least 5s, or 0s"},
		"reference":                   {"listen = env.LISTEN", 1, "Not a plain value", "listen has to be written out"},
		"huge number":                 {"partitions = 1e999999999", 1, "Invalid value", "from 1 to 1024"},
		"calculation":                 {"partitions = 8 * 2", 1, "Not a plain value", "partitions"},
		"interpolation":               {"listen = \"${1}\"", 1, "Not a plain value", "listen"},
		"no HCL":                      {"primary = = true", 1, "Invalid expression", ""},
		"level":                       {"log {\n  level = \"loud\"\n}", 2, "Invalid value", "debug, info, warn, error"},
		"pool with a dot, in a queue": {"runner {\n pools = [\"a.b\"]\n}", 2, "Invalid value", "pool names"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			all := diagnosticsOf(t, Inputs{FileName: "v.hcl", File: []byte(tt.file)})
			require.Len(t, all, 1)
			d := all[0]
			require.Equal(t, "v.hcl", d.File)
			require.Equal(t, tt.line, d.Line)
			require.Equal(t, tt.summary, d.Summary)
			require.Contains(t, d.Detail, tt.detail)
			require.Equal(t, strings.Split(tt.file, "\n")[tt.line-1], d.Snippet)
			require.Positive(t, d.Column)
		})
	}
}

func TestAllMistakesAreReportedInTheOrderOfTheFile(t *testing.T) {
	all := diagnosticsOf(t, Inputs{
		FileName:  "v.hcl",
		File:      []byte("partitions = 0\nnope = 1\nlog {\n  format = \"xml\"\n  colour = true\n}\n"),
		Variables: map[string]string{"VIVARIUM_PRIMARY": "maybe"},
	})
	require.Len(t, all, 5)
	require.Equal(t, "Invalid value of VIVARIUM_PRIMARY", all[0].Summary)
	for i, line := range []int{0, 1, 2, 4, 5} {
		require.Equal(t, line, all[i].Line)
	}
}

func TestMistakesOfVariablesAndFlagsNameThem(t *testing.T) {
	all := diagnosticsOf(t, Inputs{Flags: map[string]string{"listen": "nowhere"}})
	require.Len(t, all, 1)
	require.Equal(t, "Invalid value of --listen", all[0].Summary)
	require.Contains(t, all[0].Detail, `it is "nowhere"`)
}

func TestSecretsAreNotRepeated(t *testing.T) {
	for name, in := range map[string]Inputs{
		"file":        {FileName: "v.hcl", File: []byte("key = \"hunter2\"")},
		"wrong type":  {FileName: "v.hcl", File: []byte("key = [\"hunter2\"]")},
		"broken line": {FileName: "v.hcl", File: []byte("bus = \"amqp://u:hunter2@h")},
		"variable":    {Variables: map[string]string{"VIVARIUM_KEY": "hunter2"}},
		"bus":         {Flags: map[string]string{"bus": "http://user:hunter2@host"}},
		"broken bus":  {Flags: map[string]string{"bus": "amqp://user:hunter2%@host"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(in)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "hunter2")
			for _, d := range diagnosticsOf(t, in) {
				require.NotContains(t, d.Detail+d.Summary+d.Snippet, "hunter2")
			}
		})
	}
}

func TestBusAndStoreAddresses(t *testing.T) {
	for text, ok := range map[string]bool{
		"embedded": true, "amqp://localhost": true, "amqps://u:p@h:5671/v": true, "nats://h:4222": true,
		"": true, "http://h": false, "amqp://": false, "localhost:5672": false,
	} {
		_, err := Load(Inputs{Variables: map[string]string{"VIVARIUM_BUS": text}})
		require.Equal(t, ok, err == nil, text)
	}
	for text, ok := range map[string]bool{"sqlite": true, "sqlite:/x/y.db": true, "sqlite:": false, "postgres://h": false} {
		_, err := Load(Inputs{Flags: map[string]string{"store": text}})
		require.Equal(t, ok, err == nil, text)
	}
}

func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(filepath.Join("testdata", "vivarium.hcl"))
	require.NoError(f, err)
	f.Add(example)
	f.Add([]byte("runner {\n pools = [null, {}]\n}"))
	f.Add([]byte("partitions = 1 / 0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Load(Inputs{FileName: "v.hcl", File: text})
		if err == nil {
			require.NotEmpty(t, s.Runner.Pools)
			require.Positive(t, s.Partitions)
			return
		}
		for _, d := range diagnosticsOf(t, Inputs{FileName: "v.hcl", File: text}) {
			require.NotEmpty(t, d.Summary)
		}
	})
}
