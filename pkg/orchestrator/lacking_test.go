package orchestrator

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// gadget is an executor that a server may have or not.
type gadget struct{ *noop.Executor }

func (gadget) Kind() template.Kind {
	k := noop.New().Kind()
	k.Name = "gadget"
	return k
}

// filed is one whose resources need files, also to be destroyed.
type filed struct{ *noop.Executor }

func (filed) Kind() template.Kind {
	k := noop.New().Kind()
	k.Name = "filed"
	k.Inspect = func(template.InspectRequest) (template.Inspection, hcl.Diagnostics) {
		return template.Inspection{Bundle: "files"}, nil
	}
	return k
}

func (filed) Destroy(_ context.Context, r executor.Request) error {
	_, err := os.Stat(filepath.Join(r.Bundle, "note.txt"))
	return err
}

var mixed = []executor.Executor{noop.New(), filed{}, gadget{}}

func kindsOf(executors []executor.Executor) template.Kinds {
	kinds := template.Kinds{}
	for _, e := range executors {
		kinds[e.Kind().Name] = e.Kind()
	}
	return kinds
}

// lackingRig has a template with all kinds in its catalogue.
func lackingRig(t *testing.T) *rig {
	r := newRig(t)
	dir := filepath.Join(r.dir, "catalogue", "mixed")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "files"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "files", "note.txt"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "template.hcl"), []byte(`template "mixed" {
  version = "1.0.0"
}
resource "noop" "base" {}
resource "gadget" "on" {
  inputs = resource.noop.base.outputs.inputs
}
resource "filed" "beside" {}
resource "noop" "late" {
  pool   = "late"
  inputs = resource.noop.base.outputs.inputs
}
`), 0o600))
	var err error
	r.catalogue, err = template.OpenCatalogue(filepath.Join(r.dir, "catalogue"), kindsOf(mixed), nil)
	require.NoError(t, err)
	return r
}

// having starts a server and a runner with these executors; stop ends both.
func (r *rig) having(executors []executor.Executor, pools ...string) (stop func()) {
	r.options = func(o *Options) { o.Kinds = kindsOf(executors) }
	_, stopServer := r.start()
	w, err := runner.New(runner.Options{Bus: r.bus, Name: "having", Pools: pools, Executors: executors, Concurrency: 4, WorkDir: filepath.Join(r.dir, "work-having"), Box: r.box})
	require.NoError(r, err)
	require.NoError(r, w.Start(r.Context()))
	var ended bool
	stop = func() {
		if !ended {
			ended = true
			require.NoError(r, w.Stop(context.Background()))
			stopServer()
		}
	}
	r.Cleanup(stop)
	return stop
}

// waitsFor waits until a step waits for a reason, and returns that.
func (r *rig) waitsFor(name, address string, code environment.ReasonCode) string {
	r.Helper()
	return r.resource(name, address, func(one environment.ResourceRecord) bool {
		return one.Step.Reason != nil && one.Step.Reason.Code == code
	}).Step.Reason.Detail
}

func TestAnExecutorThatIsConfiguredNoMoreWhileItOwnsResources(t *testing.T) {
	r := lackingRig(t)
	stop := r.having(mixed, "default", "late")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"mixed"}}).Accepted)
	r.await("one", environment.Deployed)
	stop()

	stop = r.having(mixed[:2], "default", "late")
	for _, command := range []struct {
		name string
		data any
	}{{event.EnvironmentUpdate, event.Update{}}, {event.EnvironmentPlan, event.Proposal{}}, {event.EnvironmentRollback, event.Rollback{Revision: 1}}} {
		answer := r.command(command.name, "one", command.data)
		require.False(t, answer.Accepted, command.name)
		require.Equal(t, fault.ExecutorUnknown, answer.Error.Code, "%s: %v", command.name, answer.Error)
		require.Contains(t, answer.Error.Message, "kind gadget")
	}
	require.True(t, r.command(event.EnvironmentCheck, "one", event.Check{}).Accepted)
	detail := r.waitsFor("one", "mixed.gadget.on", environment.BecauseNoRunner)
	require.Contains(t, detail, `pool "default" has the executor "gadget"`)
	require.True(t, r.command(event.EnvironmentCancel, "one", event.Cancel{}).Accepted)
	r.await("one", environment.Deployed)
	require.True(t, r.command(event.EnvironmentPlan, "one", event.Proposal{Destroy: true}).Accepted)
	require.True(t, r.command(event.EnvironmentCancel, "one", event.Cancel{}).Accepted)
	r.await("one", environment.Deployed)

	require.True(t, r.command(event.EnvironmentDestroy, "one", event.Destroy{}).Accepted)
	r.waitsFor("one", "mixed.gadget.on", environment.BecauseNoRunner)
	r.resource("one", "mixed.filed.beside", func(one environment.ResourceRecord) bool { return one.Status == environment.Destroyed }) // it needs nothing of the gadget
	stop()
	stop = r.having(mixed[:2], "default", "late")
	r.waitsFor("one", "mixed.gadget.on", environment.BecauseNoRunner)
	r.resource("one", "mixed.noop.base", func(one environment.ResourceRecord) bool { return one.Status != environment.Destroyed }) // the gadget stands on it
	stop()

	r.having(mixed, "default", "late")
	r.await("one", environment.Destroyed)
}

func TestACreateGoesOnOnceTheServerHasItsExecutorAgain(t *testing.T) {
	r := lackingRig(t)
	stop := r.having(mixed, "default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"mixed"}}).Accepted)
	r.waitsFor("one", "mixed.noop.late", environment.BecauseNoRunner)
	stop()

	stop = r.having(mixed[:2], "default", "late")
	detail := r.waitsFor("one", "mixed.noop.late", environment.BecauseNoExecutor)
	require.True(t, strings.Contains(detail, "kind gadget") && strings.Contains(detail, "configure its plugin again"), detail)
	stop()

	r.having(mixed, "default", "late")
	r.await("one", environment.Deployed)
}
