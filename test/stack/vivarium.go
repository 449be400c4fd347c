package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/test/servers"
)

// Vivarium is a server and a runner, each a process of its own: the server has the data and no credentials, the runner has
// the credentials and no data.
type Vivarium struct {
	Program string // path of the program
	API     string // such as http://127.0.0.1:8090/api/v1
	stack   *Stack
	data    string // the server's folder
	work    string // the runner's
	server  *servers.Program
	runner  *servers.Program
}

// StartVivarium starts the program on the stack's broker and returns when it takes commands, with the templates of a folder.
// Its folders are beside those of the servers.
func StartVivarium(ctx context.Context, s *Stack, program, templates string) (*Vivarium, error) {
	v := &Vivarium{Program: program, stack: s, data: filepath.Join(s.dir, "server"), work: filepath.Join(s.dir, "runner")}
	for _, dir := range []string{v.data, v.work, v.logs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := v.start(ctx, templates); err != nil {
		return nil, errors.Join(err, v.Stop(context.WithoutCancel(ctx)))
	}
	return v, nil
}

func (v *Vivarium) logs() string { return filepath.Join(v.stack.dir, "logs") }

func (v *Vivarium) start(ctx context.Context, templates string) (err error) {
	bus := v.stack.RabbitMQ.URL()
	server := exec.Command(v.Program, "server", "--primary", "--no-runner", "--bus", bus, "--listen", "127.0.0.1:0",
		"--catalogue", templates, "--data-dir", v.data, "--stop-timeout", "5s", "--log-level", "debug")
	server.Env = v.environment()
	if v.server, err = servers.StartProgram("the server", filepath.Join(v.logs(), "server.log"), server); err != nil {
		return err
	}
	runner := exec.Command(v.Program, "runner", "--pool", "default", "--name", "demo", "--bus", bus, "--work-dir", v.work,
		"--stop-timeout", "5s", "--log-level", "debug")
	runner.Env = append(v.environment(), v.credentials()...)
	if v.runner, err = servers.StartProgram("the runner", filepath.Join(v.logs(), "runner.log"), runner); err != nil {
		return err
	}
	return v.ready(ctx)
}

// environment is that of this process without anybody's credentials or settings.
func (v *Vivarium) environment() []string {
	var list []string
	for _, kv := range os.Environ() {
		foreign := false
		for _, prefix := range []string{"VIVARIUM_", "VAULT_", "CONSUL_", "DOCKER_", "KUBE", "TF_"} {
			foreign = foreign || strings.HasPrefix(kv, prefix)
		}
		if !foreign {
			list = append(list, kv)
		}
	}
	return list
}

// credentials are what only the runner has.
func (v *Vivarium) credentials() []string {
	s := v.stack
	return []string{
		"VIVARIUM_TERRAFORM=" + s.Tofu, "CONSUL_HTTP_ADDR=" + s.Consul.Address(), "DOCKER_HOST=" + s.Docker.Host(),
		"VAULT_ADDR=" + s.Vault.Address(), "VAULT_ROLE_ID=" + s.role.id, "VAULT_SECRET_ID=" + s.role.secret,
	}
}

// ready waits until the server takes commands.
func (v *Vivarium) ready(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var found struct{ API string }
		text, err := os.ReadFile(filepath.Join(v.data, "server.json"))
		if err == nil && json.Unmarshal(text, &found) == nil && found.API != "" {
			v.API = strings.TrimSuffix(found.API, "/") + "/api/v1"
			if status, _, err := ask(ctx, request{Method: http.MethodGet, URL: v.API + "/self/readiness"}); err == nil && status == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-v.server.Done():
			return fmt.Errorf("the server ended while it started; it said:\n%s", v.server.LastWords())
		case <-v.runner.Done():
			return fmt.Errorf("the runner ended while it started; it said:\n%s", v.runner.LastWords())
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w; it said:\n%s", ctx.Err(), v.server.LastWords())
		}
	}
}

// Command is a command of the program that finds this server.
func (v *Vivarium) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, v.Program, append(args, "--data-dir", v.data)...)
	cmd.Env = v.environment()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	return cmd
}

// Stop lets both end by themselves, and kills what has not ended after a while, which is an error. Stopping twice does no harm.
func (v *Vivarium) Stop(ctx context.Context) (err error) {
	for _, p := range []*servers.Program{v.runner, v.server} {
		if p != nil {
			within, cancel := context.WithTimeout(ctx, patience)
			err = errors.Join(err, p.Stop(within))
			cancel()
		}
	}
	return err
}

// LastWords are the ends of what server and runner have printed.
func (v *Vivarium) LastWords() string {
	var said strings.Builder
	for name, p := range map[string]*servers.Program{"runner": v.runner, "server": v.server} {
		if p != nil {
			fmt.Fprintf(&said, "The %s printed at the end:\n%s\n", name, p.LastWords())
		}
	}
	return said.String()
}
