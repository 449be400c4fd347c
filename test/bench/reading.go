package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// The store that is read from: 100,000 resources in 1,000 environments, each a tree with some more edges.
const (
	readEnvironments = 1000
	readResources    = 100
)

// library is a full store, the API over it, and an echo server with nothing in it.
type library struct {
	store *sqlite.Store
	seq   uint64
	api   string // host:port
	echo  string
}

// reading measures the read API over a full store.
func reading(ctx context.Context, r *report) error {
	return inFolder(func(dir string) (err error) {
		l := &library{}
		if l.store, err = sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "store.db"), Alone: true}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.store.Close()) }()
		if err := l.fill(ctx); err != nil {
			return err
		}
		server, err := api.New(api.Options{Listen: "127.0.0.1:0", Store: l.store, Templates: noTemplates{}, Info: func() api.Info { return api.Info{} }})
		if err != nil {
			return err
		}
		if err := server.Start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
		l.api = server.Addr()
		stop, err := l.startEcho(ctx)
		if err != nil {
			return err
		}
		defer stop()
		return errors.Join(l.latencies(r), l.ratios(r), l.slowing(ctx, r))
	})
}

type noTemplates struct{}

func (noTemplates) List(context.Context) ([]api.TemplateVersion, error) { return nil, nil }
func (noTemplates) Get(context.Context, string) (api.Template, error)   { return api.Template{}, nil }

func (l *library) startEcho(ctx context.Context) (stop func(), err error) {
	e := echo.New()
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.echo = listener.Addr().String()
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }, nil
}

func environmentName(i int) string { return fmt.Sprintf("env-%04d", i) }
func resourceAddress(i int) string { return fmt.Sprintf("app.noop.resource-%03d", i) }

func (l *library) fill(ctx context.Context) error {
	for i := range readEnvironments {
		if err := l.write(ctx, environmentName(i), l.resources(environmentName(i))); err != nil {
			return err
		}
	}
	return nil
}

func (l *library) resources(name string) []environment.ResourceRecord {
	now := time.Now().UTC()
	all := make([]environment.ResourceRecord, readResources)
	for i := range all {
		r := environment.ResourceRecord{Environment: name, Status: environment.Deployed, CreatedBy: "op-1", UpdatedAt: now, Node: environment.Node{
			Address: resourceAddress(i), Type: environment.ResourceNode, Template: "app", Executor: "noop", Name: resourceAddress(i)},
			Inputs: []byte(`{"size":3,"region":"eu"}`), Outputs: []byte(`{"id":"` + resourceAddress(i) + `"}`),
			Step: environment.StepRecord{Operation: "op-1", Verb: event.Apply, State: environment.StateComplete, Attempt: 1}}
		if i > 0 {
			r.DependsOn = []string{resourceAddress((i - 1) / 3)}
		}
		if i%4 == 2 {
			r.DependsOn = append(r.DependsOn, resourceAddress(i/2))
		}
		all[i] = r
	}
	return all
}

// write appends one environment, made anew when it comes with resources.
func (l *library) write(ctx context.Context, name string, resources []environment.ResourceRecord) error {
	l.seq++
	now := time.Now().UTC()
	c := environment.Changes{Environments: []environment.Record{{Name: name, Status: environment.Deployed, Tags: []string{"team:" + name[len(name)-1:]},
		Templates: []environment.Template{{Name: "app", Version: "1.0.0", Hash: "h"}}, Resources: map[environment.Status]int{environment.Deployed: readResources},
		Operation: "op-1", CreatedAt: now, UpdatedAt: now, Revision: l.seq, Epoch: 1}}, Resources: resources}
	if resources != nil {
		c.Created = []string{name}
		c.Operations = []environment.OperationRecord{{ID: "op-1", Environment: name, Kind: environment.CreateOperation, Status: environment.OperationSucceeded,
			RequestedBy: "/bench", StartedAt: now}}
	}
	return l.store.Append(ctx, store.Batch{Epoch: 1, Changes: c, Entries: []store.Entry{{Seq: l.seq, Environment: name, Type: "step.completed",
		Time: now, Epoch: 1, Data: []byte(`{}`)}}})
}

// latencies are those of one client on one connection, of a quiet server.
func (l *library) latencies(r *report) error {
	single := func() string { return "/api/v1/environments/" + environmentName(rand.IntN(readEnvironments)) }
	for _, m := range []struct {
		what, goal string
		times      int
		path       func() string
	}{
		{"read one environment of 1,000", "p99 < 5 ms", 3000, single},
		{"dependents of a resource to depth 5, of 100,000", "p99 < 5 ms", 3000, func() string {
			return single() + "/resources/" + resourceAddress(rand.IntN(readResources)) + "/dependents?depth=5"
		}},
		{"list 100 environments", "p99 < 10 ms", 1000, func() string { return "/api/v1/environments?limit=100" }},
		{"list 100 environments, newest first", "p99 < 10 ms", 1000, func() string { return "/api/v1/environments?limit=100&sort=-updated_at" }},
		{"list 100 environments with a tag and a status", "p99 < 10 ms", 1000, func() string {
			return fmt.Sprintf("/api/v1/environments?limit=100&tag=team:%d&status=deployed", rand.IntN(10))
		}},
		{"list 100 resources", "p99 < 10 ms", 1000, func() string { return single() + "/resources?limit=100" }},
	} {
		took, err := l.ask(m.times, m.path)
		if err != nil {
			return err
		}
		r.row(m.what, fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", ms(took[len(took)/2]), ms(took[len(took)*99/100])), m.goal)
	}
	return nil
}

// ask asks one thing after the other, and tells how long each took, sorted.
func (l *library) ask(times int, path func() string) ([]time.Duration, error) {
	c, err := dial(l.api)
	if err != nil {
		return nil, err
	}
	defer c.close()
	took := make([]time.Duration, 0, times)
	for i := range times + times/10 {
		begin := time.Now()
		status, err := c.get(path(), "")
		if err != nil || status != http.StatusOK {
			return nil, fmt.Errorf("%s: %d, %w", path(), status, err)
		}
		if i >= times/10 { // the first ones warm up
			took = append(took, time.Since(begin))
		}
	}
	slices.Sort(took)
	return took, nil
}

// ratios hold requests a second of processor time against those of an empty handler, in turns on the same connections.
func (l *library) ratios(r *report) error {
	one := "/api/v1/environments/" + environmentName(7)
	tag, err := tagOf("http://" + l.api + one)
	if err != nil {
		return err
	}
	list, err := tagOf("http://" + l.api + "/api/v1/environments?limit=100")
	if err != nil {
		return err
	}
	for _, m := range []struct{ what, goal, path, tag string }{
		{"GET of an environment that the client has", ">= 0.5", one, tag},
		{"GET of an environment", ">= 0.25", one, ""},
		{"GET of a list of 100 that the client has", "", "/api/v1/environments?limit=100", list},
		{"GET of a list of 100", "", "/api/v1/environments?limit=100", ""},
		{"GET of a resource's dependents to depth 5", "", one + "/resources/" + resourceAddress(5) + "/dependents?depth=5", ""},
	} {
		empty, own, err := inTurns(4, time.Second, func(d time.Duration) (float64, error) { return rate(l.echo, "/", "", d) },
			func(d time.Duration) (float64, error) { return rate(l.api, m.path, m.tag, d) })
		if err != nil {
			return err
		}
		r.row(m.what+", against an empty handler", fmt.Sprintf("%.2f (%.0f/s, %.0f/s)", own/empty, own, empty), m.goal)
	}
	return nil
}

func tagOf(url string) (string, error) {
	answer, err := http.Get(url) //nolint:gosec,noctx // its own server
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.Header.Get("ETag"), nil
}

// inTurns does two things alternately, and tells the median of each.
func inTurns(rounds int, each time.Duration, first, second func(time.Duration) (float64, error)) (a, b float64, err error) {
	var as, bs []float64
	for range rounds {
		x, e1 := first(each)
		y, e2 := second(each)
		if err := errors.Join(e1, e2); err != nil {
			return 0, 0, err
		}
		as, bs = append(as, x), append(bs, y)
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[len(as)/2], bs[len(bs)/2], nil
}

// slowing lets one writer write as fast as it can, alone and beside reads that come 500 times a second.
func (l *library) slowing(ctx context.Context, r *report) error {
	alone, beside, err := inTurns(5, time.Second, func(d time.Duration) (float64, error) { return l.writes(ctx, d) }, func(d time.Duration) (float64, error) {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- l.readSteadily(ctx) }()
		n, err := l.writes(ctx, d)
		cancel()
		return n, errors.Join(err, <-done)
	})
	if err != nil {
		return err
	}
	r.row("writes beside 500 reads a second, against writes alone", fmt.Sprintf("%.2f (%.0f/s, %.0f/s)", beside/alone, beside, alone), ">= 0.9")
	return nil
}

func (l *library) writes(ctx context.Context, d time.Duration) (float64, error) {
	begin, n := time.Now(), 0
	for ; time.Since(begin) < d; n++ {
		if err := l.write(ctx, environmentName(n%readEnvironments), nil); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// readSteadily asks for environments, dependents and lists in turn.
func (l *library) readSteadily(ctx context.Context) error {
	c, err := dial(l.api)
	if err != nil {
		return err
	}
	defer c.close()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		path := "/api/v1/environments/" + environmentName(rand.IntN(readEnvironments))
		if i%5 == 0 {
			path += "/resources/" + resourceAddress(rand.IntN(readResources)) + "/dependents?depth=5"
		}
		if status, err := c.get(path, ""); err != nil || status != http.StatusOK {
			return fmt.Errorf("%s: %d, %w", strings.TrimPrefix(path, "/api/v1"), status, err)
		}
	}
}
