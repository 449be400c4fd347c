package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
)

const gated = `
template "gated" {
  version = "1.0.0"
}
action "held" {
  command = ["sh", "-c", "echo begun >> LEDGER; while [ ! -e GATE ]; do sleep 0.05; done; echo held >> LEDGER"]
}
action "next" {
  command = ["sh", "-c", "echo next >> LEDGER"]
  after   = [action.held]
}
`

// TestASwitchoverLosesNothing changes the roles while a step runs and a command is sent, and changes them back.
func TestASwitchoverLosesNothing(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH")}
	templates, ports, dir := catalogue(t), []string{freePort(t), freePort(t)}, t.TempDir()
	ledger, gate := filepath.Join(dir, "ledger"), filepath.Join(dir, "gate")
	require.NoError(t, os.Mkdir(filepath.Join(templates, "gated"), 0o700))
	text := strings.NewReplacer("LEDGER", ledger, "GATE", gate).Replace(gated)
	require.NoError(t, os.WriteFile(filepath.Join(templates, "gated", "template.hcl"), []byte(text), 0o600))
	one := startSide(t, variables, templates, ports[0], "--primary")
	two := startSide(t, variables, templates, ports[1], "--follow", "http://127.0.0.1:"+ports[0])
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	one.do(t, "env", "create", "notes", "--template", "gated")
	eventually(t, func() bool {
		begun, _ := os.ReadFile(ledger)
		return len(begun) > 0
	})

	over := make(chan string, 1)
	go func() {
		code, text := two.try("cluster", "switchover")
		if code != exitOK {
			text = "it failed: " + text
		}
		over <- text
	}()
	eventually(t, func() bool { return strings.Contains(one.log.String(), "this side steps down") })
	one.leave(t, event.EnvironmentCreate, "meanwhile", `{"templates": ["hello"]}`)
	require.NoError(t, os.WriteFile(gate, nil, 0o600))
	require.Contains(t, <-over, "the same by checksum)")
	eventually(t, func() bool { return one.is(wire.Secondary, 2) })
	for _, name := range []string{"notes", "meanwhile"} {
		eventually(t, func() bool {
			code, text := two.try("env", "show", name)
			return code == exitOK && strings.Contains(text, "deployed")
		})
	}
	done, err := os.ReadFile(ledger)
	require.NoError(t, err)
	require.Equal(t, "begun\nheld\nnext\n", string(done), "the step has ended, and nothing was done twice")
	code, said := two.try("cluster", "switchover")
	require.Equal(t, exitUsage, code)
	require.Contains(t, said, "is the primary")

	require.Contains(t, one.do(t, "cluster", "switchover"), "under epoch 3")
	eventually(t, func() bool { return one.is(wire.Primary, 3) && two.is(wire.Secondary, 3) })
	require.Contains(t, one.do(t, "env", "create", "back", "--template", "hello", "--wait"), "Hello, back!")
	eventually(t, func() bool { return two.is(wire.Secondary, 3) })
	require.Equal(t, clusterOf(t, one.running).Partitions[0].Chain, clusterOf(t, two.running).Partitions[0].Chain)
	require.Zero(t, bytes.Count([]byte(two.do(t, "env", "list")), []byte("failed")))
}

// leave publishes a command on the side's bus, and waits for no answer.
func (s *side) leave(t *testing.T, command, environment, data string) {
	t.Helper()
	found, err := findServer(s.dir)
	require.NoError(t, err)
	b, err := dial(t.Context(), found.Bus, "publisher", busAccess{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: environment + "-" + command, Source: "test", Type: event.TypeOf(command), Subject: environment, Data: []byte(data)}
	require.NoError(t, b.Publish(t.Context(), bus.Message{To: bus.Address{Exchange: bus.Commands, Key: command}, ID: e.ID, ContentType: event.ContentType, Body: e.Encode()}))
	require.NoError(t, b.Close(t.Context()))
}
