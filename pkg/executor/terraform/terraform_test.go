package terraform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopSharedConsul()
	_ = os.RemoveAll(mirrorDir) // "" is nothing
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var openTofu = sync.OnceValues(func() (string, error) {
	return servers.OpenTofu(context.Background(), os.Stderr)
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := openTofu()
	require.NoError(t, err)
	return path
}

func newExecutor(t *testing.T, dir string) *terraform.Executor {
	t.Helper()
	return terraform.New(terraform.Options{Binary: binary(t), CacheDir: filepath.Join(dir, "modules"), Environment: os.Environ()})
}

func inputs(t *testing.T, source string, values map[string]any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(map[string]any{"source": source, "inputs": values})
	require.NoError(t, err)
	return data
}

func TestContract(t *testing.T) {
	modules, err := filepath.Abs("testdata/modules")
	require.NoError(t, err)
	executortest.Run(t, executortest.Suite{
		New:        func(t *testing.T, dir string) executor.Executor { return newExecutor(t, dir) },
		Bundle:     modules,
		Plain:      inputs(t, "./modules/sample", map[string]any{"name": "plain"}),
		WithSecret: inputs(t, "./modules/sample", map[string]any{"password": executortest.Secret}),
		Slow: func(gate string) json.RawMessage {
			return inputs(t, "./modules/sample", map[string]any{"gate": gate})
		},
		Changed: func(lines []string) bool {
			return !strings.Contains(strings.Join(lines, "\n"), "Resources: 0 added, 0 changed, 0 destroyed.")
		},
		Other: inputs(t, "./modules/sample", map[string]any{"name": "other"}),
		Partial: &executortest.Partial{
			Inputs:  inputs(t, "./modules/sample", map[string]any{"name": nil}),
			Unknown: map[string][]string{"inputs.name": {"resource.terraform.network is applied"}},
		},
		Lacks: map[string]string{"Adopt": "what is built into OpenTofu is nowhere but in its state; see TestContractWithAProvider",
			"Foreign": "as Adopt", "Tamper": "what is built into OpenTofu can't drift; see TestDrift"},
	})
}

// stage is a step in a fresh place.
type stage struct {
	*terraform.Executor
	dir     string
	request executor.Request
	log     *executortest.Log
}

func newStage(t *testing.T, bundle, source string, values map[string]any) *stage {
	t.Helper()
	dir := t.TempDir()
	bundle, err := filepath.Abs(bundle)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "work"), 0o700))
	log := &executortest.Log{}
	s := &stage{Executor: newExecutor(t, dir), dir: dir, log: log, request: executor.Request{
		TaskRef: event.TaskRef{Environment: "notes", Operation: "op-1", Step: "notes.terraform.sample", Attempt: 1, Epoch: 1},
		Inputs:  inputs(t, source, values),
		Bundle:  bundle,
		WorkDir: filepath.Join(dir, "work"),
		Log:     log.Add,
	}}
	s.request.SaveState = func(_ context.Context, data []byte) error {
		s.request.State = data // for the next attempt
		return nil
	}
	return s
}

func sample(t *testing.T, values map[string]any) *stage {
	t.Helper()
	return newStage(t, "testdata/modules", "./modules/sample", values)
}

func TestOutputs(t *testing.T) {
	s := sample(t, map[string]any{"name": "${not.a.reference}", "settings": map[string]any{"size": 12345678901234567}})
	outputs, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.JSONEq(t, `"label-of-${not.a.reference}"`, string(outputs["label"].Value))
	require.Equal(t, `12345678901234567`, string(outputs["size"].Value), "numbers keep their digits")
	require.JSONEq(t, `null`, string(outputs["nothing"].Value))
	require.True(t, outputs["password"].Sensitive)
	require.False(t, outputs["label"].Sensitive)
	require.Len(t, outputs, 5)
	lines := strings.Join(s.log.Take(), "\n")
	require.Contains(t, lines, "terraform_data.sample: Creation complete after")
	require.NotContains(t, lines, "@level", "lines are for people")
}

func TestAnInputThatIsSecretMakesItsOutputSensitive(t *testing.T) {
	s := sample(t, map[string]any{"name": "open-sesame"})
	s.request.Secrets = []string{"open-sesame"}
	outputs, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.True(t, outputs["label"].Sensitive)
	require.False(t, outputs["size"].Sensitive)
}

func TestInitRunsOnlyWhenSomethingChanged(t *testing.T) {
	s := sample(t, nil)
	bundle := t.TempDir()
	require.NoError(t, os.CopyFS(bundle, os.DirFS(s.request.Bundle)))
	s.request.Bundle = bundle
	initialised := func() bool {
		_, err := s.Apply(t.Context(), s.request)
		require.NoError(t, err)
		s.request.Attempt++
		return strings.Contains(strings.Join(s.log.Take(), "\n"), "Initializing the backend")
	}
	require.True(t, initialised())
	require.False(t, initialised(), "nothing has changed")
	require.NoError(t, os.WriteFile(filepath.Join(bundle, "sample", "more.tf"), []byte("output \"more\" { value = 1 }\n"), 0o600))
	require.True(t, initialised(), "the module has changed")
	require.NoError(t, os.RemoveAll(s.request.WorkDir))
	require.NoError(t, os.Mkdir(s.request.WorkDir, 0o700))
	require.False(t, initialised(), "another step of the same module finds it initialised")
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "modules")))
	require.True(t, initialised(), "the initialised module was lost")
}

func TestLosingTheWorkingFolderLosesNothing(t *testing.T) {
	s := sample(t, nil)
	first, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	s.request.WorkDir, s.request.Attempt = t.TempDir(), 2
	second, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, first, second)
}

func TestTheBundleIsNotWrittenTo(t *testing.T) {
	s := sample(t, nil)
	bundle := t.TempDir()
	require.NoError(t, os.CopyFS(bundle, os.DirFS(s.request.Bundle)))
	s.request.Bundle = bundle
	_, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	var found []string
	require.NoError(t, filepath.WalkDir(bundle, func(at string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, entry.Name())
		}
		return err
	}))
	require.ElementsMatch(t, []string{"main.tf", "outputs.tf", "main.tf"}, found)
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		bundle, source string
		values         map[string]any
		code           fault.Code
		disposition    fault.Disposition
		says           string
		file           string
		line           int
	}{
		"validation": {
			"testdata/modules", "./modules/sample", map[string]any{"name": "refused"},
			fault.ExecutorFailed, fault.GiveUp, "This name is refused.", "modules/sample/main.tf", 3,
		},
		"type": {
			"testdata/modules", "./modules/sample", map[string]any{"settings": map[string]any{"size": []int{1}}},
			fault.ExecutorFailed, fault.GiveUp, "number required", "", 0,
		},
		"provider": {
			"testdata/modules", "./modules/sample", map[string]any{"failing": true},
			fault.ExecutorFailed, fault.Retry, "exit status 7", "modules/sample/main.tf", 64,
		},
		"language": {
			"testdata/mistakes", "./mistakes", nil,
			fault.ExecutorFailed, fault.GiveUp, "missing", "mistakes/main.tf", 2,
		},
		"syntax": {
			"testdata/broken", "./broken", nil,
			fault.InvalidTemplate, fault.GiveUp, "can't be read", "broken/main.tf", 1,
		},
		"no module": {
			"testdata/modules", "./modules/other", nil,
			fault.NotFound, fault.GiveUp, "did not come", "", 0,
		},
		"outside": {
			"testdata/modules", "../sample", nil,
			fault.Invalid, fault.GiveUp, "leaves", "", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c.bundle, c.source, c.values)
			_, err := s.Apply(t.Context(), s.request)
			found := fault.From(err)
			require.Equal(t, c.code, found.Code, "%v", err)
			require.Equal(t, c.disposition, found.Disposition, "%v", err)
			require.Contains(t, found.Message, c.says)
			if len(found.Diagnostics) > 0 {
				require.Equal(t, c.file, found.Diagnostics[0].File)
				require.Equal(t, c.line, found.Diagnostics[0].Line)
			}
			require.Equal(t, c.file != "" || name == "type", len(found.Diagnostics) > 0)
		})
	}
}

func TestAFailedApplyKeepsWhatItMade(t *testing.T) {
	s := sample(t, map[string]any{"failing": true})
	_, err := s.Apply(t.Context(), s.request)
	require.Error(t, err)
	found, err := s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Present, found.Presence)
	s.request.Attempt++
	require.NoError(t, s.Destroy(t.Context(), s.request))
	found, err = s.Observe(t.Context(), s.request)
	require.NoError(t, err)
	require.Equal(t, event.Absent, found.Presence)
}

func TestDestroyOfNothingStartsNoProcess(t *testing.T) {
	s := sample(t, nil)
	require.NoError(t, s.Destroy(t.Context(), s.request))
	require.Empty(t, s.log.Take())
	require.NoDirExists(t, filepath.Join(s.request.WorkDir, "module"))
}

func TestRunnersCredentialsOfTheBusStayOut(t *testing.T) {
	s := sample(t, map[string]any{"gate": "/"}) // is there already
	e := terraform.New(terraform.Options{
		Binary:      binary(t),
		Environment: append(os.Environ(), "TF_VAR_name=refused", "TF_CLI_ARGS=-unknown", "VIVARIUM_BUS=amqp://guest:guest@host"),
	})
	_, err := e.Apply(t.Context(), s.request)
	require.NoError(t, err, "neither TF_VAR_name nor TF_CLI_ARGS of the runner counts")
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err := terraform.Find(t.Context())
	require.Equal(t, fault.Unavailable, fault.From(err).Code)
	require.Contains(t, fault.From(err).Message, "install OpenTofu or Terraform")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "terraform"), []byte("#!/bin/false\n"), 0o700))
	_, err = terraform.Find(t.Context())
	require.Contains(t, fault.From(err).Message, "working")

	require.NoError(t, os.Symlink(binary(t), filepath.Join(dir, "tofu")))
	found, err := terraform.Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "tofu"), found)
}
