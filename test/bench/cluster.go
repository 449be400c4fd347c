package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/orchestrator"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/service"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// cluster is a server and a runner in this process, with the real bus and store, and an executor that does nothing.
type cluster struct {
	*service.Group
	bus   bus.Bus
	store *sqlite.Store
	names int

	orchestrator *orchestrator.Orchestrator
}

func kinds() template.Kinds {
	k := noop.New().Kind()
	return template.Kinds{k.Name: k}
}

func newCluster(ctx context.Context, dir string, b bus.Bus) (*cluster, error) {
	if err := writeTemplates(filepath.Join(dir, "catalogue")); err != nil {
		return nil, err
	}
	return newClusterOf(ctx, dir, b, noop.New(), 100)
}

// newClusterOf has one executor, which works on so many steps at once, and the catalogue that was written to dir.
func newClusterOf(ctx context.Context, dir string, b bus.Bus, x executor.Executor, width int) (*cluster, error) {
	kinds := template.Kinds{x.Kind().Name: x.Kind()}
	s, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "store.db")})
	if err != nil {
		return nil, err
	}
	key, err := secret.NewKey()
	if err != nil {
		return nil, err
	}
	box, err := secret.NewBox(key)
	if err != nil {
		return nil, err
	}
	catalogue, err := template.OpenCatalogue(filepath.Join(dir, "catalogue"), kinds, nil)
	if err != nil {
		return nil, err
	}
	o, err := orchestrator.New(orchestrator.Options{Server: "bench", Store: s, Bus: b, Catalogue: catalogue, Kinds: kinds, Box: box,
		ScratchDir: filepath.Join(dir, "scratch"), Policy: environment.Policy{Parallelism: width}})
	if err != nil {
		return nil, err
	}
	r, err := runner.New(runner.Options{Bus: b, Name: "bench", Pools: []string{environment.DefaultPool},
		Executors: []executor.Executor{x}, Concurrency: width, WorkDir: filepath.Join(dir, "work"), Box: box})
	if err != nil {
		return nil, err
	}
	c := &cluster{bus: b, store: s, orchestrator: o, Group: service.NewGroup(service.Member{Name: "orchestrator", Service: o}, service.Member{Name: "runner", Service: r})}
	return c, c.Start(ctx)
}

func (c *cluster) close(ctx context.Context) error {
	return errors.Join(c.Stop(ctx), c.bus.Close(ctx), c.store.Close())
}

// deploy sends a create like any publisher and waits for the event that says deployed.
func (c *cluster) deploy(ctx context.Context, tpl string) (time.Duration, error) {
	c.names++
	return c.command(ctx, fmt.Sprintf("%s-%d", tpl, c.names), event.EnvironmentCreate, event.Create{Templates: []string{tpl}}, "deployed")
}

// command sends one like any publisher and waits for the event that says that it is carried out.
func (c *cluster) command(ctx context.Context, name, command string, data any, until string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	over := make(chan string, 8)
	l, err := c.bus.Listen(ctx, []bus.Address{{Exchange: bus.Events, Key: "environment." + name + "." + until},
		{Exchange: bus.Events, Key: "environment." + name + ".failed"}}, func(m *bus.Message) { over <- m.Type })
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Stop(context.WithoutCancel(ctx)) }()
	start := time.Now()
	answer, err := client.NewBus(c.bus, "bench").Send(ctx, command, name, data, client.SendOptions{})
	if err != nil {
		return 0, err
	}
	if !answer.Accepted {
		return 0, answer.Error
	}
	select {
	case typ := <-over:
		if typ == event.TypeOf(environment.StatusFailed{}.Type()) {
			return 0, fmt.Errorf("%s: %s", name, typ)
		}
		return time.Since(start), nil
	case <-ctx.Done():
		record, _ := c.store.Environment(context.WithoutCancel(ctx), name)
		text, _ := json.Marshal(record)
		return 0, fmt.Errorf("%s is not %s after 2 minutes: %s", name, until, text)
	}
}

// best deploys a few times and returns the median.
func (c *cluster) median(ctx context.Context, tpl string, runs int) (time.Duration, error) {
	if _, err := c.deploy(ctx, tpl); err != nil { // warms up
		return 0, err
	}
	return median(runs, func() (time.Duration, error) { return c.deploy(ctx, tpl) })
}

const (
	fanOut = 1000
	chain  = 200
)

// writeTemplates makes the catalogue: a fan-out by count, a chain, and an environment as people have them.
func writeTemplates(dir string) error {
	var links strings.Builder
	links.WriteString("resource \"noop\" \"n0\" {}\n")
	for i := 1; i < chain; i++ {
		fmt.Fprintf(&links, "resource \"noop\" \"n%d\" {\n  depends_on = [resource.noop.n%d]\n}\n", i, i-1)
	}
	for name, body := range map[string]string{
		"fan":    fmt.Sprintf("resource \"noop\" \"n\" {\n  count = %d\n}\n", fanOut),
		"chain":  links.String(),
		"single": "resource \"noop\" \"n\" {}\n",
		"fifty":  "resource \"noop\" \"n\" {\n  count = 50\n}\n",
	} {
		head := fmt.Sprintf("template %q {\n  version = \"1.0.0\"\n}\n", name)
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name, "template.hcl"), []byte(head+body), 0o644); err != nil {
			return err
		}
	}
	return nil
}
