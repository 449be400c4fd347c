package terraform_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/test/servers"
)

// mirrorDir is shared by the tests of this process and removed by TestMain.
var mirror = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vivarium-providers-")
	if err != nil {
		return "", err
	}
	mirrorDir = dir
	return servers.SampleProvider(context.Background(), dir, os.Stderr)
})

var mirrorDir string

// withProvider is an executor whose modules find the sample provider.
func withProvider(t *testing.T, dir string) *terraform.Executor {
	t.Helper()
	config, err := mirror()
	require.NoError(t, err)
	return terraform.New(terraform.Options{
		Binary: binary(t), CacheDir: filepath.Join(dir, "modules"), Environment: append(os.Environ(), "TF_CLI_CONFIG_FILE="+config),
	})
}

// provided is a step whose resource is a file at path.
func provided(t *testing.T, values map[string]any) (s *stage, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	values["path"] = path
	s = newStage(t, "testdata/provided", "./file", values)
	s.Executor = withProvider(t, s.dir)
	return s, path
}

// again is the next attempt, with other inputs beside the path.
func (s *stage) again(t *testing.T, path string, values map[string]any) executor.Request {
	t.Helper()
	values["path"] = path
	s.request.Attempt++
	s.request.Inputs = inputs(t, "./file", values)
	return s.request
}

// TestContractWithAProvider is the contract once more, for resources that can drift.
func TestContractWithAProvider(t *testing.T) {
	bundle, err := filepath.Abs("testdata/provided")
	require.NoError(t, err)
	place := filepath.Join(t.TempDir(), "file")
	if dir := os.Getenv("PROVIDED_DIR"); dir != "" {
		place = filepath.Join(dir, "file") // in the child that is going to be killed
	} else {
		t.Setenv("PROVIDED_DIR", filepath.Dir(place))
	}
	values := func(more map[string]any) map[string]any {
		more["path"] = place
		return more
	}
	executortest.Run(t, executortest.Suite{
		New:    func(t *testing.T, dir string) executor.Executor { return withProvider(t, dir) },
		Bundle: bundle,
		Plain:  inputs(t, "./file", values(map[string]any{})),
		Other:  inputs(t, "./file", values(map[string]any{"content": "otherwise"})),
		Partial: &executortest.Partial{
			Inputs:  inputs(t, "./file", values(map[string]any{"content": nil})),
			Unknown: map[string][]string{"inputs.content": {"resource.terraform.network is applied"}},
		},
		WithSecret: inputs(t, "./file", values(map[string]any{"token": executortest.Secret})),
		Slow: func(gate string) json.RawMessage {
			return inputs(t, "./file", values(map[string]any{"gate": gate, "announce": true}))
		},
		Adopt: func(t *testing.T, _ executor.Request) json.RawMessage {
			require.NoError(t, os.WriteFile(place, []byte("as planned\n"), 0o600))
			return json.RawMessage(`{"sample_file.this":"` + place + `"}`)
		},
		Lacks: map[string]string{"Foreign": "a state is no mark: Terraform can't tell that another state has the resource too"},
		Tamper: func(t *testing.T, _ executor.Request) {
			require.NoError(t, os.WriteFile(place, []byte("by hand\nand secretly\n"), 0o600))
		},
		Changed: func(lines []string) bool {
			return !strings.Contains(strings.Join(lines, "\n"), "Resources: 0 added, 0 changed, 0 destroyed.")
		},
	})
}

func TestDrift(t *testing.T) {
	s, path := provided(t, map[string]any{"token": "open-sesame"})
	_, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	found, err := s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Observation{Presence: event.Present}, found)

	require.NoError(t, os.WriteFile(path, []byte("by hand\nstolen\n"), 0o600))
	found, err = s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Observation{Presence: event.Present, Drifted: true, Differences: []event.Difference{
		{Path: "sample_file.this: content", Change: event.ChangeUpdate, Before: "as planned", After: "by hand"},
		{Path: "sample_file.this: token", Change: event.ChangeUpdate, Before: secret.Shown, After: secret.Shown, Sensitive: true},
	}}, found)

	require.NoError(t, os.Remove(path))
	found, err = s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Observation{Presence: event.Absent, Drifted: true, Differences: []event.Difference{
		{Path: "sample_file.this", Change: event.ChangeDestroy},
	}}, found)
	plan, err := s.Plan(t.Context(), s.request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeCreate, plan.Change, "it has to be made again: %+v", plan.Plan)
}

// TestAPlanInWords shows what people will read.
func TestAPlanInWords(t *testing.T) {
	s, path := provided(t, map[string]any{})
	plan, err := s.Plan(t.Context(), s.request, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.Plan{Change: event.ChangeCreate, Differences: []event.Difference{
		{Path: "sample_file.this", Change: event.ChangeCreate},
		{Path: "sample_file.this: content", Change: event.ChangeCreate, After: "as planned"},
		{Path: "sample_file.this: id", Change: event.ChangeCreate, Until: []string{"it is applied"}},
		{Path: "sample_file.this: path", Change: event.ChangeCreate, After: path},
		{Path: "output.path", Change: event.ChangeCreate, After: path},
	}}, plan.Plan)
	_, err = s.Apply(t.Context(), s.request)
	require.NoError(t, err)

	plan, err = s.Plan(t.Context(), s.again(t, path, map[string]any{"content": "new", "token": "open-sesame"}), event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		{Path: "sample_file.this: content", Change: event.ChangeUpdate, Before: "as planned", After: "new"},
		{Path: "sample_file.this: token", Change: event.ChangeCreate, After: secret.Shown, Sensitive: true},
	}}, plan.Plan)

	plan, err = s.Plan(t.Context(), s.again(t, path+"2", map[string]any{}), event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeReplace, plan.Change)
	require.Contains(t, plan.Differences, event.Difference{Path: "sample_file.this", Change: event.ChangeReplace})

	plan, err = s.Plan(t.Context(), s.again(t, path, map[string]any{}), event.Destruct)
	require.NoError(t, err)
	require.Equal(t, event.ChangeDestroy, plan.Change)
	require.Equal(t, event.Difference{Path: "sample_file.this", Change: event.ChangeDestroy}, plan.Differences[0])
}

// TestASavedPlanHoldsOnlyForWhatItWasMadeOf, and is not started for anything else.
func TestASavedPlanHoldsOnlyForWhatItWasMadeOf(t *testing.T) {
	s, path := provided(t, map[string]any{"token": "open-sesame"})
	plan, err := s.Plan(t.Context(), s.request, event.Apply)
	require.NoError(t, err)
	for name, change := range map[string]func(*executor.Request){
		"inputs":      func(r *executor.Request) { r.Inputs = inputs(t, "./file", map[string]any{"path": path}) },
		"environment": func(r *executor.Request) { r.Environment = "other" },
		"step":        func(r *executor.Request) { r.Step = "other" },
		"module": func(r *executor.Request) {
			bundle := t.TempDir()
			require.NoError(t, os.CopyFS(bundle, os.DirFS(r.Bundle)))
			require.NoError(t, os.WriteFile(filepath.Join(bundle, "file", "more.tf"), []byte("output \"more\" { value = 1 }\n"), 0o600))
			r.Bundle = bundle
		},
		"state": func(r *executor.Request) { r.State = []byte(`{"terraform":{"version":4,"serial":3,"lineage":"x"}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			r := s.request
			r.Plan = plan.Saved
			change(&r)
			_, err := s.Apply(t.Context(), r)
			require.Equal(t, fault.Conflict, fault.From(err).Code, "%v", err)
			require.Contains(t, err.Error(), "plan again")
			require.NoFileExists(t, path)
		})
	}
	r := s.request
	r.Plan = plan.Saved
	_, err = s.Apply(t.Context(), r)
	require.NoError(t, err)
	require.FileExists(t, path)
}

func TestAProviderThatCrashes(t *testing.T) {
	for _, in := range []string{"create", "read", "update", "delete"} {
		t.Run(in, func(t *testing.T) {
			s, path := provided(t, map[string]any{})
			var err error
			if in == "create" {
				_, err = s.Apply(t.Context(), s.again(t, path, map[string]any{"crash": in}))
			} else {
				_, err = s.Apply(t.Context(), s.request)
				require.NoError(t, err)
				_, err = s.Apply(t.Context(), s.again(t, path, map[string]any{"crash": in}))
			}
			if in == "read" || in == "delete" { // the provider sees the new value once it is in the state
				require.NoError(t, err)
				s.request.Attempt++
				err = s.Destroy(t.Context(), s.request)
			}
			found := fault.From(err)
			require.Equal(t, fault.ExecutorFailed, found.Code, "%v", err)
			require.Equal(t, fault.Retry, found.Disposition)
			require.Contains(t, found.Message, "panic: asked to crash in "+in)
			require.Contains(t, found.Message, "another version")
			require.True(t, s.log.Has("asked to crash"), "the log has what it said: %q", s.log.Take())
		})
	}
}
