package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/test/ports"
)

// side is one of two, each with a folder, a bus and a port of its own.
type side struct {
	*running
	variables map[string]string
}

func startSide(t *testing.T, variables map[string]string, templates, port string, arguments ...string) *side {
	t.Helper()
	all := append([]string{"--primary-cluster-name", "east", "--listen", "127.0.0.1:" + port, "--stop-timeout", "5s"}, arguments...)
	return &side{serveWith(t, variables, t.TempDir(), templates, all...), variables}
}

// try runs a command against the side and returns its exit code and what it printed.
func (s *side) try(arguments ...string) (int, string) {
	f := newFake(s.variables)
	code := f.run(context.Background(), append(arguments, "--data-dir", s.dir))
	return code, f.stdout.String() + f.stderr.String()
}

func (s *side) do(t *testing.T, arguments ...string) string {
	t.Helper()
	code, text := s.try(arguments...)
	require.Equal(t, exitOK, code, "%s\n%s", text, s.log)
	return text
}

// is tells whether the side is what is said of it, and, as a secondary, has all that its primary has.
func (s *side) is(role wire.Role, epoch uint64) bool {
	code, text := s.try("cluster", "status", "--output", "json")
	var c wire.Cluster
	if code != exitOK || json.Unmarshal([]byte(text), &c) != nil {
		return false
	}
	following := c.Following != nil && c.Following.State == replication.Live && c.Following.Lag.Entries == 0 && c.Following.Counted
	return c.Role == role && c.Epoch == epoch && (role == wire.Primary || following)
}

func freePort(t *testing.T) string {
	t.Helper()
	port, err := ports.One()
	require.NoError(t, err)
	return strconv.Itoa(port)
}

func TestASideTakesOverAsPlannedAndGivesBack(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH")}
	templates, ports := catalogue(t), []string{freePort(t), freePort(t)}
	one := startSide(t, variables, templates, ports[0], "--primary", "--follow", "http://127.0.0.1:"+ports[1])
	one.do(t, "env", "create", "first", "--template", "hello", "--wait")
	two := startSide(t, variables, templates, ports[1], "--follow", "http://127.0.0.1:"+ports[0])
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	token := strings.TrimSpace(one.do(t, "cluster", "token"))

	code, text := two.try("cluster", "promote", "--token", "none")
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, "cluster token")
	require.Contains(t, two.do(t, "cluster", "promote", "--token", token), "nothing was lost")
	eventually(t, func() bool { return two.is(wire.Primary, 2) })
	require.Contains(t, two.do(t, "env", "show", "first"), "Hello, first!")
	require.Contains(t, two.do(t, "env", "create", "second", "--template", "hello", "--wait"), "Hello, second!")
	eventually(t, func() bool { return one.is(wire.Secondary, 2) })
	require.Contains(t, one.do(t, "env", "show", "second"), "Hello, second!")

	code, text = one.try("cluster", "promote", "--token", token)
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, "was used")
	token = strings.TrimSpace(one.do(t, "cluster", "token"))
	one.do(t, "cluster", "promote", "--token", token)
	eventually(t, func() bool { return one.is(wire.Primary, 3) && two.is(wire.Secondary, 3) })
	require.Contains(t, one.do(t, "env", "create", "third", "--template", "hello", "--wait"), "Hello, third!")
}

// TestASecondPrimaryOfTheSameEpochDoesNotStart: it says who is there, and what to do.
func TestASecondPrimaryOfTheSameEpochDoesNotStart(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"), "HOME": t.TempDir()}
	templates, port := catalogue(t), freePort(t)
	one := startSide(t, variables, templates, port, "--primary")
	f := newFake(variables)
	code := f.run(context.Background(), []string{"server", "--primary", "--primary-cluster-name", "east", "--data-dir", t.TempDir(), "--catalogue", templates,
		"--listen", "127.0.0.1:0", "--follow", "http://127.0.0.1:" + port})
	require.Equal(t, exitFailed, code)
	require.Contains(t, f.stderr.String(), "a primary under the same epoch 1")
	require.Contains(t, f.stderr.String(), "start it without --primary")
	require.Contains(t, one.do(t, "env", "create", "first", "--template", "hello", "--wait"), "Hello, first!")
}

// wire between the sides, which can be cut.
type cable struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	cut     bool
	refused int // since it was cut
	conns   []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cable{listener: l, to: to}
	go c.serve()
	t.Cleanup(func() {
		c.sever()
		require.NoError(t, l.Close())
	})
	return c
}

func (c *cable) serve() {
	for {
		from, err := c.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", c.to)
		c.mu.Lock()
		if err != nil || c.cut {
			c.refused++
			_ = from.Close()
			if to != nil {
				_ = to.Close()
			}
		} else {
			c.conns = append(c.conns, from, to)
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
		c.mu.Unlock()
	}
}

func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut, c.refused = true, 0
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// triedInVain counts who came since it was cut: with the second one, the first look at the other side is over.
func (c *cable) triedInVain() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
}

// TestOfTwoPrimariesThatMeetTheYoungerStopsActing: neither could see the other when it was started.
func TestOfTwoPrimariesThatMeetTheYoungerStopsActing(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH")}
	templates, port := catalogue(t), freePort(t)
	one := startSide(t, variables, templates, port, "--primary")
	between := newCable(t, "127.0.0.1:"+port)
	between.sever()
	two := startSide(t, variables, templates, freePort(t), "--primary", "--follow", "http://"+between.listener.Addr().String())
	require.Contains(t, two.do(t, "env", "create", "first", "--template", "hello", "--wait"), "Hello, first!")
	between.mend()
	eventually(t, func() bool { return strings.Contains(two.log.String(), "this side may not act any more") })
	require.Contains(t, two.do(t, "cluster", "status"), "began before this one: two sides can't act")
	require.True(t, clusterOf(t, one.running).Authority == nil || clusterOf(t, one.running).Authority.Acts)
	require.Contains(t, one.do(t, "env", "create", "second", "--template", "hello", "--wait"), "Hello, second!")

	between.sever() // who is silent may still act
	eventually(t, func() bool { return between.triedInVain() > 1 })
	require.Contains(t, two.do(t, "cluster", "status"), "Acts     no")
}

const ledgered = `
template "ledgered" {
  version = "1.0.0"
}
action "once" {
  command = ["sh", "-c", "echo done >> LEDGER; exec sleep 600"]
}
`

// TestACutSideStopsAndTheOtherDoesNothingTwice: both are alive, and can't hear each other.
func TestACutSideStopsAndTheOtherDoesNothingTwice(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"),
		"VIVARIUM_CLUSTER_LEASE": "5s", "VIVARIUM_CLUSTER_MARGIN": "2s"}
	templates, ledger := catalogue(t), filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.Mkdir(filepath.Join(templates, "ledgered"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "ledgered", "template.hcl"), []byte(strings.ReplaceAll(ledgered, "LEDGER", ledger)), 0o600))
	port := freePort(t)
	one := startSide(t, variables, templates, port, "--primary")
	between := newCable(t, "127.0.0.1:"+port)
	two := startSide(t, variables, templates, freePort(t), "--follow", "http://"+between.listener.Addr().String())
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	token := strings.TrimSpace(two.do(t, "cluster", "token"))
	one.do(t, "env", "create", "notes", "--template", "ledgered")
	running := func(s *side) bool {
		_, text := s.try("env", "show", "notes", "-o", "json")
		return strings.Contains(text, "deploying")
	}
	eventually(t, func() bool {
		text, _ := os.ReadFile(ledger)
		return len(text) > 0 && running(two) && two.is(wire.Secondary, 1)
	})
	eventually(t, func() bool {
		known := clusterOf(t, one.running).Secondaries
		return len(known) == 1 && known[0].Lag.Known
	})
	between.sever()

	code, text := two.try("cluster", "promote", "--token", token)
	require.Equal(t, exitFailed, code, text)
	require.Contains(t, text, "--force")
	require.Contains(t, two.do(t, "cluster", "promote", "--token", token, "--force"), "looked at first")
	eventually(t, func() bool { return two.is(wire.Primary, 2) })
	require.Contains(t, two.do(t, "env", "create", "meanwhile", "--template", "hello"), "accepted", "commands are taken at once")
	eventually(t, func() bool { return strings.Contains(one.log.String(), "this side may not act any more") })
	eventually(t, func() bool {
		return strings.Contains(two.do(t, "cluster", "uncertain"), "leaves nothing that could be looked at")
	})
	eventually(t, func() bool {
		return strings.Contains(one.log.String(), "no server says that this side may still act") || strings.Contains(one.log.String(), "a task is stopped")
	})
	require.Contains(t, two.do(t, "env", "settle", "notes", "ledgered.action.once", "done", "--wait"), "deployed")
	done, err := os.ReadFile(ledger)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(done, []byte("done")), "nothing was done twice")
}
