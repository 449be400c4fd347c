package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// An environment of two keys in Consul. What its actions do leaves a line in a file, and is not idempotent.
const phased = `template "phased" {
  version = "1.0.0"
}
parameter "title" { default = "a" }
parameter "health" { type = string }
parameter "ledger" { type = string }
action "before" {
  run_on  = ["create", "update"]
  command = ["sh", "-c", "echo before ${param.title} $VIVARIUM_OPERATION >> '${param.ledger}'"]
}
resource "consul_kv" "settings" {
  prefix     = "phased/${environment.name}"
  keys       = { title = param.title, longest = "500" }
  depends_on = [action.before]
}
action "farewell" {
  run_on  = ["destroy"]
  after   = [resource.consul_kv.settings]
  command = ["sh", "-c", "echo farewell $VIVARIUM_OPERATION >> '${param.ledger}'"]
}
status "web" {
  url      = param.health
  interval = "200ms"
}
`

// phase is something that is under way when the server is killed, with its runner.
type phase struct {
	name    string
	args    []string          // of the command that begins it; none: it comes by itself
	at      func(asked) bool  // when it is killed: what was asked for is done, and nobody has heard
	changed int               // keys, in all
	actions []string          // lines of the ledger of actions
	ends    map[string]string // environments, and what becomes of them
}

// TestKillNineInEachPhase: the server is killed with its runner in the middle of everything that it can do with an environment, when
// Consul has just done what it was asked for. It goes on, comes to the right end, and does nothing twice.
func TestKillNineInEachPhase(t *testing.T) {
	consul := servers.SharedConsul(t)
	g := newGate(t, consul.Address())
	t.Setenv("CONSUL_HTTP_ADDR", g.URL)
	client, err := api.NewClient(&api.Config{Address: consul.Address()})
	require.NoError(t, err)
	keys, ledger := client.KV(), filepath.Join(t.TempDir(), "actions")
	s := server(t, "--primary", "--catalogue", writeCatalogue(t, map[string]string{"template.hcl": phased}))
	given := []string{"--param", "health=" + g.URL + "/health", "--param", "ledger=" + ledger}
	deployed := map[string]string{"one": "deployed"}
	title := func(name, want string) {
		t.Helper()
		pair, _, err := keys.Get("phased/"+name+"/title", nil)
		require.NoError(t, err)
		require.NotNil(t, pair)
		require.Equal(t, want, string(pair.Value))
	}

	s.killedIn(g, ledger, phase{name: "create", at: changes, args: append([]string{"create", "one", "--template", "phased"}, given...), changed: 2,
		actions: []string{"before a op-1"}, ends: deployed})
	s.killedIn(g, ledger, phase{name: "plan", at: looks, args: []string{"plan", "one", "--param", "title=b"}, ends: deployed})
	s.killedIn(g, ledger, phase{name: "update", at: changes, args: []string{"update", "one", "--param", "title=b"}, changed: 1, actions: []string{"before b op-3"}, ends: deployed})
	title("one", "b")
	s.killedIn(g, ledger, phase{name: "validate", at: validates, args: []string{"update", "one", "--param", "title=c"}, changed: 1, actions: []string{"before c op-4"}, ends: deployed})
	s.killedIn(g, ledger, phase{name: "check", at: looks, args: []string{"check", "one"}, ends: deployed})
	s.killedIn(g, ledger, phase{name: "rollback", at: changes, args: []string{"rollback", "one", "2", "--yes"}, changed: 1, actions: []string{"before b op-6"}, ends: deployed})
	title("one", "b")

	_, err = keys.Delete("phased/one/title", nil)
	require.NoError(t, err)
	s.killedIn(g, ledger, phase{name: "heal", at: changes, args: []string{"schedule", "one", "--drift-policy", "heal", "--drift-interval", "500ms"}, changed: 1, ends: deployed})
	title("one", "b")
	_, err = s.cli("env", "schedule", "one", "--drift-policy", "report", "--drift-interval", "1h")
	require.NoError(t, err)

	for key, value := range map[string]string{"title": "a", "longest": "500"} {
		_, err := keys.Put(&api.KVPair{Key: "phased/two/" + key, Value: []byte(value)}, nil)
		require.NoError(t, err)
	}
	s.killedIn(g, ledger, phase{name: "adopt", at: changes, args: append([]string{"adopt", "two", "--template", "phased", "--resource", "phased.consul_kv.settings", "--yes"}, given...),
		changed: 2, actions: []string{"before a op-1"}, ends: map[string]string{"two": "deployed"}})
	s.killedIn(g, ledger, phase{name: "destroy", at: changes, args: []string{"destroy", "one", "--yes"}, changed: 2, actions: []string{"farewell op-8"}, ends: map[string]string{"one": "destroyed"}})
	s.killedIn(g, ledger, phase{name: "destruction at its time", at: changes, args: []string{"schedule", "two", "--lifetime", "1s"}, changed: 2, actions: []string{"farewell op-2"}, ends: map[string]string{"two": "destroyed"}})
	left, _, err := keys.Keys("phased/", "", nil)
	require.NoError(t, err)
	require.Empty(t, left)
}

// killedIn begins a phase, kills the server in the middle of it, starts it again, and sees that all was done, and once.
func (s *instance) killedIn(g *gate, ledger string, p phase) {
	t := s.t
	t.Helper()
	require.NoError(t, os.RemoveAll(ledger))
	reached := g.hold(p.at)
	said := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, err := cliWithin(ctx, append([]string{"env", "--data-dir", s.data}, p.args...)...)
		said <- err
	}()
	ended := false
	for waits := true; waits; {
		select {
		case <-reached:
			waits = false
		case err := <-said:
			require.NoError(t, err, p.name)
			ended = true
		case <-time.After(patience):
			require.Fail(t, "it was not begun", "%s: %s", p.name, s.log)
		}
	}
	require.Eventually(t, func() bool { return s.runs(p.of()) }, patience, 20*time.Millisecond, "%s: nobody has heard that it runs", p.name)
	s.kill()
	if cancel(); !ended {
		<-said // a command line that waits for what comes of it
	}
	s.start()
	for name, status := range p.ends {
		s.awaitStatus(name, status)
		s.onceAnOperation(p.name, name)
	}
	require.Equal(t, p.changed, g.ledger(), "%s: keys that were changed", p.name)
	text, err := os.ReadFile(ledger)
	require.True(t, err == nil || os.IsNotExist(err), "%v", err)
	require.Equal(t, strings.Join(p.actions, "\n"), strings.TrimSpace(string(text)), "%s: actions that have run", p.name)
}

// of is the environment that the phase is of.
func (p phase) of() string {
	for name := range p.ends {
		return name
	}
	return ""
}

// runs tells whether a runner is known to be at work: it says so of all that takes longer than a moment. Then its successor is given that at
// once, and not when the offer has lapsed.
func (s *instance) runs(name string) bool {
	last := ""
	for _, e := range s.journal(name) {
		if strings.HasPrefix(e.Type, "step.") {
			last = e.Type
		}
	}
	return last == "step.running"
}

// onceAnOperation: no step was offered again, or completed, after it had been completed in the same operation and phase of it.
func (s *instance) onceAnOperation(phase, name string) {
	t := s.t
	t.Helper()
	var done []string
	for _, e := range s.journal(name) {
		var f struct{ Step, Verb, Operation string }
		require.NoError(t, json.Unmarshal(e.Data, &f))
		switch e.Type {
		case "environment.validating":
			done = nil
		case "step.waiting", "step.complete":
			require.NotContains(t, done, f.Operation+" "+f.Step, "%s: %s again after it had been completed", phase, e.Type)
			if e.Type == "step.complete" {
				done = append(done, f.Operation+" "+f.Step)
			}
		}
	}
}
