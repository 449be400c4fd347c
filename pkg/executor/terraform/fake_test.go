package terraform_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// pretending is an executor whose program is a script that tells a version and does as it is told for the rest.
func pretending(t *testing.T, s *stage, script string) *terraform.Executor {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tofu")
	text := "#!/bin/sh\nif [ \"$1\" = version ]; then echo '{\"terraform_version\":\"1.10.6\"}'; exit; fi\n" + script
	require.NoError(t, os.WriteFile(program, []byte(text), 0o700))
	return terraform.New(terraform.Options{Binary: program, CacheDir: filepath.Join(s.dir, "pretended"), Environment: os.Environ()})
}

func TestDestroyedMeansProven(t *testing.T) {
	s := sample(t, nil)
	_, err := s.Apply(t.Context(), s.request)
	require.NoError(t, err)
	s.request.Attempt++
	err = pretending(t, s, "exit 0\n").Destroy(t.Context(), s.request)
	require.Equal(t, fault.OrphanSuspected, fault.From(err).Code)
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
	require.Contains(t, err.Error(), "terraform_data.sample")
	s.request.Attempt++
	require.NoError(t, s.Destroy(t.Context(), s.request), "it can be tried again")
}

func TestProgramsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		script      string
		code        fault.Code
		disposition fault.Disposition
		says        string
	}{
		"init": {
			`echo "Error: could not reach the registry" >&2; exit 1`,
			fault.Unavailable, fault.Retry, "could not reach the registry",
		},
		"crash": {
			`[ "$1" = init ] || { echo "panic: everything" >&2; kill -9 $$; }`,
			fault.ExecutorFailed, fault.Retry, "exit code 137: panic: everything",
		},
		"silence": {
			`[ "$1" = init ] || exit 1`,
			fault.ExecutorFailed, fault.Retry, "crashed or was killed",
		},
		"outage": {
			`[ "$1" = init ] || { echo '{"@level":"error","@message":"Error: x","type":"diagnostic","diagnostic":{"severity":"error","summary":"no answer"}}'; exit 1; }`,
			fault.ExecutorFailed, fault.Retry, "no answer",
		},
		"configuration beside an outage": {
			`[ "$1" = init ] || { echo '{"type":"diagnostic","diagnostic":{"severity":"error","summary":"wrong","range":{"filename":"main.tf"}}}
{"type":"diagnostic","diagnostic":{"severity":"error","summary":"quota","address":"aws_instance.a","range":{"filename":"main.tf"}}}'; exit 1; }`,
			fault.ExecutorFailed, fault.Retry, "wrong (modules/sample/main.tf:0) (and 1 more)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := sample(t, nil)
			_, err := pretending(t, s, c.script).Apply(t.Context(), s.request)
			found := fault.From(err)
			require.Equal(t, c.code, found.Code)
			require.Equal(t, c.disposition, found.Disposition)
			require.Contains(t, found.Message, c.says)
		})
	}
}

func TestNoProgram(t *testing.T) {
	s := sample(t, nil)
	e := terraform.New(terraform.Options{Binary: filepath.Join(s.dir, "nowhere")})
	_, err := e.Apply(t.Context(), s.request)
	require.Equal(t, fault.Unavailable, fault.From(err).Code)
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
}
