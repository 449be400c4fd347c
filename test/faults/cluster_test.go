package faults

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// cluster is servers and runners of one broker and one store.
type cluster struct {
	t       *testing.T
	dir     string
	broker  *servers.RabbitMQ
	ledger  string
	store   string
	key     string
	tofu    string
	servers []*process
	runners []*process

	mu    sync.Mutex
	names []string // of all environments, in order
	want  map[string]string
	made  map[string]string // template of each
	count atomic.Int64      // operations
}

// clusterOptions say what is in it.
type clusterOptions struct {
	servers, runners int
	terraform        bool                      // one more runner, for the pool tofu
	dataDir          string                    // of the first server and the store; one of the test's unless given
	via              func(which string) string // the bus's URL for a process, by its name
}

// emptyCluster has a folder with a catalogue, and nothing that runs.
func emptyCluster(t *testing.T, pattern string) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", pattern)
	require.NoError(t, err)
	c := &cluster{t: t, dir: dir, ledger: filepath.Join(dir, "ledger"), want: map[string]string{}, made: map[string]string{},
		key: base64.StdEncoding.EncodeToString([]byte("faults-faults-faults-faults-0123"))}
	require.NoError(t, writeCatalogue(dir, c.ledger))
	return c
}

func sharedBroker(t *testing.T) *servers.RabbitMQ { return servers.SharedRabbitMQ(t) }

func newCluster(t *testing.T, ctx context.Context, o clusterOptions) *cluster {
	t.Helper()
	c := emptyCluster(t, "vivarium-faults-")
	c.broker, c.tofu, c.store = sharedBroker(t), "/bin/false", filepath.Join(c.dir, "store.db")
	t.Logf("RabbitMQ %s, %s", c.broker.Version(), program)
	require.NoError(t, clearBroker(c.broker.URL()))
	if o.dataDir != "" {
		c.store = filepath.Join(o.dataDir, "store.db")
	}
	if o.terraform {
		var err error
		c.tofu, err = servers.OpenTofu(ctx, os.Stderr)
		require.NoError(t, err)
	}
	if o.via == nil {
		o.via = func(string) string { return c.broker.URL() }
	}
	for n := range o.servers {
		c.addServer(fmt.Sprint("server", n+1), o)
	}
	for n := range o.runners {
		c.addRunner(fmt.Sprint("runner", n+1), "default", o)
	}
	if o.terraform {
		c.addRunner("tofu", "tofu", o)
	}
	t.Cleanup(c.end)
	for _, p := range c.all() {
		require.NoError(t, p.start())
	}
	for _, p := range c.servers {
		require.NoError(t, until(ctx, p.name+" is not ready", func() bool { return c.ready(p) }), "%s", p.tail())
	}
	return c
}

func (c *cluster) addServer(name string, o clusterOptions) {
	env := baseEnvironment("VIVARIUM_KEY="+c.key, "VIVARIUM_TERRAFORM="+c.tofu)
	p := c.process(name, env, "server", "--primary", "--listen", "127.0.0.1:0", "--no-runner", "--bus", o.via(name),
		"--catalogue", filepath.Join(c.dir, "catalogue"), "--store", "sqlite:"+c.store)
	if o.dataDir != "" {
		p.dir = o.dataDir
		p.args[len(p.args)-1] = o.dataDir
	}
	c.servers = append(c.servers, p)
}

func (c *cluster) addRunner(name, pool string, o clusterOptions) {
	env := baseEnvironment("VIVARIUM_TERRAFORM=" + c.tofu)
	c.runners = append(c.runners, c.process(name, env, "runner", "--pool", pool, "--name", name, "--bus", o.via(name), "--concurrency", "8"))
}

func (c *cluster) all() []*process { return append(append([]*process{}, c.servers...), c.runners...) }

// end stops everything and looks for what must never happen. After a failure the folder is kept.
func (c *cluster) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for _, p := range append(append([]*process{}, c.runners...), c.servers...) {
		if err := p.stop(ctx); err != nil {
			c.t.Errorf("%v", err)
		}
		for _, line := range p.trouble() {
			c.t.Errorf("%s", line)
		}
	}
	if c.t.Failed() || os.Getenv("VIVARIUM_FAULTS_KEEP") != "" {
		c.t.Logf("ledger, journals and logs are kept in %s", c.dir)
		return
	}
	_ = os.RemoveAll(c.dir)
}

var plain = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// getFrom reads a JSON answer of one server.
func (c *cluster) getFrom(p *process, path string, into any) error {
	var found struct{ API string }
	text, err := os.ReadFile(filepath.Join(p.dir, "server.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return err
	}
	reply, err := plain.Get(strings.TrimSuffix(found.API, "/") + "/api/v1/" + path)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, reply.Status, body)
	}
	return json.Unmarshal(body, into)
}

// get reads from whichever server answers.
func (c *cluster) get(path string, into any) error {
	var err error
	for _, p := range c.servers {
		if err = c.getFrom(p, path, into); err == nil {
			return nil
		}
	}
	return err
}

func (c *cluster) ready(p *process) bool {
	var any json.RawMessage
	return c.getFrom(p, "self/readiness", &any) == nil
}

func (c *cluster) status(name string) string {
	var e struct{ Status string }
	_ = c.get("environments/"+name, &e)
	return e.Status
}

// deploy sends the create and waits until it is settled.
func (c *cluster) deploy(ctx context.Context, name, template string) error {
	c.note(name, template, "deployed")
	return c.operate(ctx, name, "environment.create", fmt.Sprintf(`{"templates":[%q]}`, template), "deployed", "failed")
}

func (c *cluster) destroy(ctx context.Context, name string) error {
	c.note(name, "", "destroyed")
	return c.operate(ctx, name, "environment.destroy", `{}`, "destroyed", "destroy-failed")
}

func (c *cluster) operate(ctx context.Context, name, what, data string, want ...string) error {
	c.count.Add(1)
	a, err := command(ctx, c.broker.URL(), name+"/"+what, what, name, data)
	if err != nil {
		return err
	}
	if !a.Accepted {
		return fmt.Errorf("%s %s was not accepted: %+v", what, name, a.Error)
	}
	return c.settled(ctx, name, want...)
}

// settled waits for one of the statuses.
func (c *cluster) settled(ctx context.Context, name string, want ...string) error {
	last := ""
	for ctx.Err() == nil {
		last = c.status(name)
		for _, w := range want {
			if last == w {
				return nil
			}
		}
		pause(ctx, 300*time.Millisecond)
	}
	return fmt.Errorf("%s is %q and never became %v: %w", name, last, want, context.Cause(ctx))
}

func (c *cluster) note(name, template, want string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if template != "" {
		c.names = append(c.names, name)
		c.made[name] = template
	}
	c.want[name] = want
}

// wave deploys and, when asked, destroys some environments at once.
func (c *cluster) wave(ctx context.Context, prefix string, count int, destroy bool, template func(int) string) error {
	errs := make(chan error, count)
	for i := range count {
		go func() {
			name := fmt.Sprintf("%s-%d", prefix, i)
			err := c.deploy(ctx, name, template(i))
			if err == nil && destroy {
				err = c.destroy(ctx, name)
			}
			errs <- err
		}()
	}
	var first error
	for range count {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func matrix(int) string { return "matrix" }
