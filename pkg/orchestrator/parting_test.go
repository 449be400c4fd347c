package orchestrator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func TestAnUpdateRunsTheActionsOfWhatItRemoves(t *testing.T) {
	r := newRig(t)
	executors := []executor.Executor{noop.New(), action.New(action.Options{CacheDir: filepath.Join(r.dir, "apps"), Environment: []string{"PATH=" + os.Getenv("PATH")}})}
	said := filepath.Join(r.dir, "said")
	write := func(version, rest string) {
		dir := filepath.Join(r.dir, "catalogue", "leaving")
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "template.hcl"), []byte("template \"leaving\" {\n  version = \""+version+"\"\n}\n"+rest), 0o600))
		var err error
		r.catalogue, err = template.OpenCatalogue(filepath.Join(r.dir, "catalogue"), kindsOf(executors), nil)
		require.NoError(t, err)
	}
	write("1.0.0", strings.ReplaceAll(`
parameter "token" {
  type      = string
  sensitive = true
  default   = "hush-hush"
}
resource "noop" "stays" {}
resource "noop" "db" {
  inputs = { name = "ulm" }
}
action "dump" {
  after   = [resource.noop.db]
  run_on  = ["destroy"]
  command = ["sh", "-c", "printf '%s %s' \"$NAME\" \"$TOKEN\" > FILE"]
  environment = { NAME = resource.noop.db.outputs.inputs.name, TOKEN = param.token }
}
`, "FILE", said))
	stop := r.having(executors, "default")
	answer := r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"leaving"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	r.await("one", environment.Deployed)
	stop()

	write("2.0.0", "resource \"noop\" \"stays\" {}\n")
	r.having(executors, "default")
	operation := r.update("one", event.Update{Templates: []string{"leaving"}})
	r.await("one", environment.Deployed)
	require.Equal(t, []string{"apply leaving.action.dump", "destroy leaving.noop.db"}, r.steps("one", operation))
	text, err := os.ReadFile(said)
	require.NoError(t, err)
	require.Equal(t, "ulm hush-hush", string(text))
	require.Equal(t, []string{"leaving.noop.stays"}, r.addresses("one"))
	for _, e := range r.journal("one") {
		require.NotContains(t, string(e.Data), "hush-hush")
		shown, err := environment.PublicData(e.Type, e.Data)
		require.NoError(t, err)
		if e.Type == (environment.Updated{}).Type() {
			require.Contains(t, string(shown), `"partings":["leaving.action.dump"]`)
		}
	}
}
