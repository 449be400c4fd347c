package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/test/servers"
)

// stage is a RabbitMQ with servers and runners as processes of their own, which share one store and one key.
type stage struct {
	dir, binary string
	broker      *servers.RabbitMQ
	bus         *amqp.Bus
	env         []string
	processes   map[string]*process
	names       int
}

type process struct {
	cmd  *exec.Cmd
	log  *bytes.Buffer
	data string
}

func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "vivarium")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/vivarium").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return binary, nil
}

func withStage(ctx context.Context, run func(*stage) error) error {
	return inFolder(func(dir string) (err error) {
		s := &stage{dir: dir, processes: map[string]*process{}}
		if s.binary, err = build(ctx, dir); err != nil {
			return err
		}
		key, err := secret.NewKey()
		if err != nil {
			return err
		}
		s.env = append(os.Environ(), "VIVARIUM_KEY="+base64.StdEncoding.EncodeToString(key))
		if err := writeTemplates(filepath.Join(dir, "catalogue")); err != nil {
			return err
		}
		if s.broker, err = servers.StartRabbitMQ(ctx, filepath.Join(dir, "rabbitmq")); err != nil {
			return err
		}
		defer func() { _ = s.broker.Kill() }()
		if s.bus, err = amqp.Dial(ctx, amqp.Options{URL: s.broker.URL(), Name: "bench"}); err != nil {
			return err
		}
		defer func() { _ = s.bus.Close(context.WithoutCancel(ctx)) }()
		defer s.killAll()
		return run(s)
	})
}

func (s *stage) start(name string, args ...string) (*process, error) {
	return s.startOn(s.broker.URL(), name, args...)
}

func (s *stage) startOn(bus, name string, args ...string) (*process, error) {
	p := &process{log: &bytes.Buffer{}, data: filepath.Join(s.dir, name)}
	p.cmd = exec.Command(s.binary, append(args, "--bus", bus, "--log-level", "warn")...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.env, p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.processes[name] = p
	return p, p.cmd.Start()
}

func (s *stage) server(ctx context.Context, n int) (*process, error) {
	name := fmt.Sprintf("server-%d", n)
	p, err := s.start(name, "server", "--primary", "--no-runner", "--data-dir", filepath.Join(s.dir, name), "--listen", "127.0.0.1:0",
		"--catalogue", filepath.Join(s.dir, "catalogue"), "--store", "sqlite:"+filepath.Join(s.dir, "store.db"))
	if err != nil {
		return nil, err
	}
	return p, until(ctx, 30*time.Second, name+" is not ready", func() bool { return p.get("self/readiness", nil) == nil })
}

func (s *stage) runner(n int) error {
	name := fmt.Sprintf("runner-%d", n)
	_, err := s.start(name, "runner", "--pool", "default", "--name", name, "--concurrency", "100", "--work-dir", filepath.Join(s.dir, name))
	return err
}

func (s *stage) killAll() {
	for _, p := range s.processes {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	s.processes = map[string]*process{}
}

// api is the address of a server, found as the command line finds it.
func (p *process) api() (string, error) {
	var found struct{ API string }
	text, err := os.ReadFile(filepath.Join(p.data, "server.json"))
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	return found.API, err
}

// get reads from the API of a server.
func (p *process) get(path string, into any) error {
	api, err := p.api()
	if err != nil {
		return err
	}
	answer, err := http.Get(api + "/api/v1/" + path)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, answer.Status)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(body, into)
	}
	return err
}

func until(ctx context.Context, patience time.Duration, what string, done func() bool) error {
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			return errors.New(what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

// deploy creates environments side by side and returns when all are deployed.
func (s *stage) deploy(ctx context.Context, tpl string, count int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	over := make(chan string, 8*count)
	l, err := s.bus.Listen(ctx, []bus.Address{{Exchange: bus.Events, Key: "environment.*.deployed"}, {Exchange: bus.Events, Key: "environment.*.failed"}},
		func(m *bus.Message) { over <- m.Type })
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Stop(context.WithoutCancel(ctx)) }()
	commands := client.NewBus(s.bus, "bench")
	defer func() { _ = commands.Close(context.WithoutCancel(ctx)) }()
	start := time.Now()
	for range count {
		s.names++
		answer, err := commands.Send(ctx, event.EnvironmentCreate, fmt.Sprintf("%s-%d", tpl, s.names), event.Create{Templates: []string{tpl}}, client.SendOptions{})
		if err != nil {
			return 0, err
		}
		if !answer.Accepted {
			return 0, answer.Error
		}
	}
	for range count {
		select {
		case typ := <-over:
			if typ != event.TypeOf(environment.StatusDeployed{}.Type()) {
				return 0, errors.New(typ)
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return time.Since(start), nil
}

// scaling runs the same work with more servers and more runners.
func scaling(ctx context.Context, r *report) error {
	for _, n := range []struct{ servers, runners int }{{1, 1}, {2, 1}, {3, 1}, {1, 2}, {1, 4}, {3, 4}} {
		err := withStage(ctx, func(s *stage) error {
			var first *process
			for i := range n.servers {
				p, err := s.server(ctx, i)
				if err != nil {
					return err
				}
				if i == 0 {
					first = p
				}
			}
			for i := range n.runners {
				if err := s.runner(i); err != nil {
					return err
				}
			}
			if err := spread(ctx, s, first, n.servers); err != nil {
				return err
			}
			if _, err := s.deploy(ctx, "fan", 1); err != nil {
				return err
			}
			fan, err := s.deploy(ctx, "fan", 6)
			if err != nil {
				return err
			}
			links, err := s.deploy(ctx, "chain", 1)
			if err != nil {
				return err
			}
			r.row(fmt.Sprintf("RabbitMQ, servers: %d, runners: %d (processes)", n.servers, n.runners),
				fmt.Sprintf("%.0f resources/s, %.2f ms a step", 6*fanOut/fan.Seconds(), ms(links)/chain), "")
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// spread waits until the partitions are where they belong.
func spread(ctx context.Context, s *stage, first *process, count int) error {
	return until(ctx, 60*time.Second, "the partitions are not spread", func() bool {
		var info struct{ Partitions []int }
		return first.get("self/info", &info) == nil && len(info.Partitions) > 0 && len(info.Partitions) <= partitions/count+1
	})
}

// takeover kills the owner of a partition and asks for an answer from its successor.
func takeover(ctx context.Context, r *report) error {
	took, err := median(3, func() (took time.Duration, err error) {
		err = withStage(ctx, func(s *stage) error {
			owner, err := s.server(ctx, 0)
			if err != nil {
				return err
			}
			if _, err := s.server(ctx, 1); err != nil {
				return err
			}
			if err := s.runner(0); err != nil {
				return err
			}
			if _, err := s.deploy(ctx, "fifty", 4); err != nil {
				return err
			}
			commands := client.NewBus(s.bus, "bench")
			defer func() { _ = commands.Close(context.WithoutCancel(ctx)) }()
			if err := owner.cmd.Process.Kill(); err != nil {
				return err
			}
			start := time.Now()
			for i := 1; i <= 4; i++ {
				if _, err := commands.Send(ctx, event.EnvironmentDestroy, fmt.Sprintf("fifty-%d", i), event.Destroy{}, client.SendOptions{}); err != nil {
					return err
				}
			}
			took = time.Since(start)
			return nil
		})
		return took, err
	})
	if err == nil {
		r.row("takeover after SIGKILL of a partition's owner", fmt.Sprintf("%.2f s to four answers", took.Seconds()), "< 3 s")
	}
	return err
}
