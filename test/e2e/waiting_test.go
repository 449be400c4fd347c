package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var waiting = map[string]string{"template.hcl": `template "waiting" {
  version = "1.0.0"
}
parameter "title" { type = string }
approval {
  for  = ["update"]
  self = true
}
resource "noop" "base" {
  inputs = { title = param.title }
}
resource "noop" "top" {
  inputs = { title = resource.noop.base.outputs.inputs.title }
}
`}

// title is what the environment's parameter is in force, and queued the command that waits.
func (s *instance) title(name string) (title, queued string) {
	s.t.Helper()
	var seen struct {
		Parameters struct{ Title string }
		Queued     struct {
			Command string `json:"command"`
		}
	}
	s.get("environments/"+name, &seen)
	return seen.Parameters.Title, seen.Queued.Command
}

// TestKillNineWhileAnUpdateWaitsForApprovalAndAnotherForThat: the server dies three times, and each thing is done once.
func TestKillNineWhileAnUpdateWaitsForApprovalAndAnotherForThat(t *testing.T) {
	s := server(t, "--primary", "--catalogue", writeCatalogue(t, waiting))
	run := func(args ...string) {
		t.Helper()
		_, err := s.cli(append([]string{"env"}, args...)...)
		require.NoError(t, err)
	}
	again := func() {
		s.kill()
		s.start()
	}
	run("create", "one", "--template", "waiting", "--param", "title=a", "--wait")
	run("update", "one", "--param", "title=b")
	s.awaitStatus("one", "awaiting-approval")
	again()
	run("update", "one", "--param", "title=c", "--queue")
	again()
	s.awaitStatus("one", "awaiting-approval")
	title, queued := s.title("one")
	require.Equal(t, []string{"a", "environment.update"}, []string{title, queued}, "nothing of either has begun")

	run("approve", "one")
	require.Eventually(t, func() bool { title, queued = s.title("one"); return title == "b" && queued == "" }, patience, 50*time.Millisecond, "the one is done, and the other has begun")
	s.awaitStatus("one", "awaiting-approval")
	again()
	run("approve", "one")
	s.awaitStatus("one", "deployed")
	title, _ = s.title("one")
	require.Equal(t, "c", title)

	count := map[string]int{}
	for _, e := range s.journal("one") {
		count[e.Type]++
	}
	for fact, times := range map[string]int{"environment.created": 1, "environment.planning": 2, "operation.awaiting-approval": 2, "operation.approved": 2,
		"command.queued": 1, "environment.updating": 2, "step.complete": 3*2 + 2*2, "command.rejected": 0} {
		require.Equal(t, times, count[fact], "%s: %v", fact, count)
	}
}
