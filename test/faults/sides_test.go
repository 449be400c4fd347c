package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/ports"
)

// pair is two sides that know each other by their addresses, each with a folder, a bus, a store and a runner of its own.
// The embedded cluster asks whichever side is first in servers.
type pair struct {
	*cluster
	east, west *process
	env        []string
	token      string   // of one takeover
	wires      []*proxy // between them, in both directions
}

// newPair returns once the secondary has all that the primary has.
func newPair(t *testing.T, ctx context.Context, more ...string) *pair {
	t.Helper()
	p := &pair{cluster: emptyCluster(t, "vivarium-sides-"), env: sideEnvironment(more...)}
	east, west := freeAddress(t), freeAddress(t)
	p.wires = []*proxy{newProxy(t, east), newProxy(t, west)}
	p.east = p.side("east", east, p.wires[1].listener.Addr().String(), "--primary")
	p.west = p.side("west", west, p.wires[0].listener.Addr().String())
	p.servers = []*process{p.east, p.west}
	t.Cleanup(p.end)
	p.startAll(t, ctx)
	return p
}

// startAll starts the primary, which is the first, and returns once all others have what it has.
func (p *pair) startAll(t *testing.T, ctx context.Context) {
	t.Helper()
	require.NoError(t, p.east.start())
	require.NoError(t, until(ctx, "the primary is not ready", func() bool { return p.ready(p.east) }), "%s", p.east.tail())
	for _, s := range p.servers[1:] {
		require.NoError(t, s.start())
	}
	for _, s := range p.servers[1:] {
		require.NoError(t, until(ctx, "the secondary does not follow", func() bool { return p.stands(s).live() }), "%s", s.tail())
	}
	p.getToken(t, ctx)
}

// sideEnvironment is that of a process of either side.
func sideEnvironment(more ...string) []string {
	return baseEnvironment(append([]string{"VIVARIUM_REPLICATION_TOKEN=faults faults faults", "VIVARIUM_CLUSTER_MARGIN=2s",
		"VIVARIUM_TERRAFORM=/bin/false"}, more...)...)
}

func (p *pair) getToken(t *testing.T, ctx context.Context) {
	t.Helper()
	var err error
	p.token, err = p.run(ctx, p.west, "cluster", "token")
	require.NoError(t, err)
}

func (p *pair) side(name, listen, other string, more ...string) *process {
	return p.process(name, p.env, append([]string{"server", "--primary-cluster-name", "both", "--listen", listen, "--follow", "http://" + other,
		"--catalogue", filepath.Join(p.dir, "catalogue")}, more...)...)
}

// freeAddress is one on which nobody listens now.
func freeAddress(t *testing.T) string {
	port, err := ports.One()
	require.NoError(t, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// run is a command of the program to one side, and gives back what it printed.
func (p *pair) run(ctx context.Context, side *process, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, append(args, "--data-dir", side.dir)...)
	cmd.Env = p.env
	text, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%s of %s: %w: %s", strings.Join(args, " "), side.name, err, failed.Stderr)
	}
	return strings.TrimSpace(string(text)), err
}

// standing is what a side says of itself.
type standing struct {
	Role       string
	Epoch      uint64
	Partitions []struct {
		Partition int
		Seq       uint64
		Chain     string
	}
	Following *struct {
		Counted bool
		State   string
		Lag     struct{ Entries uint64 }
	}
}

func (p *pair) stands(side *process) (s standing) {
	_ = p.getFrom(side, "cluster", &s)
	return s
}

func (s standing) live() bool {
	return s.Role == "secondary" && s.Following != nil && s.Following.State == "live" && s.Following.Lag.Entries == 0 && s.Following.Counted
}

func (s standing) seqs() map[int]uint64 {
	all := map[int]uint64{}
	for _, at := range s.Partitions {
		all[at.Partition] = at.Seq
	}
	return all
}

// begin has the primary make environments, and waits until the secondary knows of all of them.
func (p *pair) begin(ctx context.Context, prefix string, count int) error {
	errs := make(chan error, count)
	for i := range count {
		name := fmt.Sprint(prefix, "-", i)
		p.note(name, "matrix", "deployed")
		p.count.Add(1)
		go func() {
			_, err := p.run(ctx, p.east, "env", "create", name, "--template", "matrix")
			errs <- err
		}()
	}
	var all error
	for range count {
		all = errors.Join(all, <-errs)
	}
	if all != nil {
		return all
	}
	return until(ctx, "the secondary does not know of all environments", func() bool {
		for _, name := range p.names {
			if p.getFrom(p.west, "environments/"+name, &struct{}{}) != nil {
				return false
			}
		}
		return true
	})
}

// promote has the secondary take over, and takes the time until a command is taken.
func (p *pair) promote(ctx context.Context, name string) (time.Duration, error) {
	begun := time.Now()
	if _, err := p.run(ctx, p.west, "cluster", "promote", "--token", p.token, "--force"); err != nil {
		return 0, err
	}
	p.servers = []*process{p.west, p.east}
	return p.goOn(ctx, name, begun)
}

// goOn has the side that has taken over make something more, and takes the time since it was told to take over.
func (p *pair) goOn(ctx context.Context, name string, begun time.Time) (time.Duration, error) {
	p.note(name, "matrix", "deployed")
	p.count.Add(1)
	_, err := p.run(ctx, p.west, "env", "create", name, "--template", "matrix")
	return time.Since(begun), err
}

// settleAll is the person who is asked what became of a step: the ledger knows. It returns once everything is deployed.
func (p *pair) settleAll(ctx context.Context) (settled int, err error) {
	for ctx.Err() == nil {
		if p.allDeployed() {
			return settled, nil
		}
		var text string
		if text, err = p.run(ctx, p.west, "cluster", "uncertain", "--output", "json"); err != nil {
			return settled, err
		}
		var list []struct{ Environment, Step, State, Operation string }
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return settled, err
		}
		answers, asked := make(chan error), 0
		for _, one := range list {
			if one.State == "uncertain" {
				asked++
				go func() { answers <- p.settle(ctx, one.Environment, key{one.Operation, one.Step}) }()
			}
		}
		for range asked {
			err = errors.Join(err, <-answers)
		}
		if err != nil {
			return settled, err
		}
		settled += asked
		pause(ctx, 300*time.Millisecond)
	}
	return settled, fmt.Errorf("not everything is deployed: %w", context.Cause(ctx))
}

func (p *pair) allDeployed() bool {
	for _, name := range p.names {
		if p.status(name) != "deployed" {
			return false
		}
	}
	return true
}

func (p *pair) settle(ctx context.Context, environment string, k key) error {
	verdict, err := p.verdict(environment, k)
	if err == nil {
		_, err = p.run(ctx, p.west, "env", "settle", environment, k.step, verdict)
	}
	return err
}

func (p *pair) verdict(environment string, k key) (string, error) {
	effects, err := readLedger(filepath.Join(p.ledger, environment))
	for _, e := range effects {
		if e.End && k == (key{e.Operation, e.Step}) {
			return "done", err
		}
	}
	return "again", err
}

// ends counts the effects that were had more than once.
func (p *pair) ends() (twice []string) {
	for _, name := range p.names {
		effects, err := readLedger(filepath.Join(p.ledger, name))
		require.NoError(p.t, err)
		count := map[key]int{}
		for _, e := range effects {
			k := key{e.Operation, e.Step}
			if e.End {
				count[k]++
			}
			if e.End && count[k] == 2 {
				twice = append(twice, name+" "+e.Step)
			}
		}
	}
	return twice
}
