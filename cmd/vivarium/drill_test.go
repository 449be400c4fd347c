package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

const inFlight = `
template "inflight" {
  version = "1.0.0"
}
action "once" {
  command = ["sh", "-c", "echo once >> LEDGER; exec sleep 600"]
}
action "often" {
  command    = ["sh", "-c", "echo often >> LEDGER; exec sleep 600"]
  idempotent = true
}
resource "file" "unsure" {
  path     = "DIR/unsure"
  content  = "x"
  wait_for = "DIR/never"
}
resource "file" "sure" {
  path       = "DIR/sure"
  content    = "x"
  wait_for   = "DIR/never"
  idempotent = true
}
action "after" {
  after   = [resource.file.sure]
  command = ["sh", "-c", "echo after >> LEDGER"]
}
`

// TestADrillOnlyLooks: it says of every step in flight what a takeover would come to, and nothing else happens to anything.
func TestADrillOnlyLooks(t *testing.T) {
	dir := t.TempDir()
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"), pluginsVariable: plugins(t)}
	templates, ledger := catalogue(t), filepath.Join(dir, "ledger")
	require.NoError(t, os.Mkdir(filepath.Join(templates, "inflight"), 0o700))
	text := strings.NewReplacer("LEDGER", ledger, "DIR", dir).Replace(inFlight)
	require.NoError(t, os.WriteFile(filepath.Join(templates, "inflight", "template.hcl"), []byte(text), 0o600))
	port := freePort(t)
	one := startSide(t, variables, templates, port, "--primary", "--stop-timeout", "1s")
	two := startSide(t, variables, templates, freePort(t), "--follow", "http://127.0.0.1:"+port)
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	require.Contains(t, two.do(t, "cluster", "drill"), "No operation is in flight.")

	one.do(t, "env", "create", "notes", "--template", "inflight")
	eventually(t, func() bool {
		text, _ := os.ReadFile(ledger)
		_, shown := two.try("env", "show", "notes", "-o", "json")
		return strings.Contains(string(text), "once") && strings.Contains(string(text), "often") && strings.Count(shown, `"state": "running"`) == 4 && two.is(wire.Secondary, 1)
	})
	before, err := os.ReadFile(ledger)
	require.NoError(t, err)
	code, shown := two.try("cluster", "drill", "-o", "json")
	require.Equal(t, exitOther, code, "of some it can't be told: %s", shown)
	var r drillReport
	require.NoError(t, json.NewDecoder(strings.NewReader(shown)).Decode(&r), shown)
	require.EqualValues(t, 2, r.Epoch)
	require.NotEmpty(t, r.Partitions)
	require.NotNil(t, r.Following)
	require.Len(t, r.Environments, 1)
	e := r.Environments[0]
	require.Equal(t, "notes", e.Name)
	require.Equal(t, environment.CreateOperation, e.Kind)
	require.Equal(t, 1, e.Coming)
	told := map[string]drillStep{}
	for _, s := range e.Steps {
		told[strings.TrimPrefix(s.Step, "inflight.")] = s
		require.Equal(t, event.Apply, s.Verb)
	}
	require.Len(t, told, 4)
	require.Equal(t, drillUncertain, told["action.once"].Outcome)
	require.Nil(t, told["action.once"].Found)
	require.Equal(t, drillAgain, told["action.often"].Outcome)
	require.Equal(t, drillUncertain, told["file.unsure"].Outcome, "%+v", told)
	require.Equal(t, event.Absent, told["file.unsure"].Found.Presence)
	require.Equal(t, drillAgain, told["file.sure"].Outcome)
	require.Equal(t, 2, r.Untold)
	code, shown = two.try("cluster", "drill")
	require.Equal(t, exitOther, code)
	require.Contains(t, shown, "Of 2 steps it can't be told whether it was done")
	require.Contains(t, shown, "it waits for a person")

	after, err := os.ReadFile(ledger)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "nothing was begun")
	require.NoFileExists(t, filepath.Join(dir, "sure"))
	require.True(t, two.is(wire.Secondary, 1), "it goes on following")
	code, shown = one.try("cluster", "drill")
	require.Equal(t, exitUsage, code, shown)
	one.do(t, "env", "cancel", "notes", "--wait")
	require.NotContains(t, two.do(t, "env", "journal", "notes"), "taken-over")
}
