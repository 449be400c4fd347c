package bootstrap

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vivarium-env/vivarium/test/ports"
	"github.com/vivarium-env/vivarium/test/servers"
)

// Place is where one bootstrap happens: a folder with its repositories and its work folder, and ports of its own.
type Place struct {
	Dir string
	// Program is the built vivarium.
	Program string
	// Location is process, local, or a context of Kubeconfig.
	Location, Kubeconfig string

	disk   string          // has the work folder; Dir where it is ""
	safe   string          // has the keys; Dir where it is ""
	base   string          // of the repositories; their folder where it is ""
	engine *servers.Docker // of the location local
	path   string          // of PATH, with Consul and Vault
	pulled string          // the registry that a cluster has the service's image from
	ports  []int           // the API's is the first
}

// Further is the environment that the configuration repository defines.
const Further = "greeting"

const template = `template "greeting" {
  version     = "1.0.0"
  description = "Says hello in Consul and in Vault"
}
parameter "text" { type = string }
resource "vault_secret" "password" {
  path     = "environments/${environment.name}"
  generate = { password = { length = 20 } }
}
resource "consul_kv" "text" {
  prefix = "environments/${environment.name}"
  keys   = { text = param.text }
}
output "keys" { value = resource.consul_kv.text.outputs.keys }
`

const definition = `environment "greeting" {
  templates   = ["greeting@1.0.0"]
  parameters  = { text = "Hello" }
  description = "What the configuration repository wants"
  tags        = ["team:greeting"]
}
`

// New has the programs, finds ports that are free, and makes the repositories demo-templates and demo-environments below dir; where they were made
// before, it takes the place up again.
func New(ctx context.Context, dir, program string, progress io.Writer) (*Place, error) {
	p := &Place{Dir: dir, Program: program, Location: "process"}
	consul, err := servers.ConsulBinary(ctx, progress)
	if err != nil {
		return nil, err
	}
	vault, err := servers.VaultBinary(ctx, progress)
	if err != nil {
		return nil, err
	}
	if err := servers.InstallRabbitMQ(ctx, progress); err != nil {
		return nil, err
	}
	p.path = strings.Join([]string{filepath.Dir(consul), filepath.Dir(vault), os.Getenv("PATH")}, string(filepath.ListSeparator))
	if known, err := p.recall(); err != nil || known {
		return p, err
	}
	if p.ports, err = ports.Free(12); err != nil {
		return nil, err
	}
	return p, errors.Join(
		p.repository(ctx, "demo-templates", "greeting/template.hcl", template),
		p.repository(ctx, "demo-environments", "greeting.hcl", definition),
		p.remember(),
	)
}

// recall is for a folder that was a place before: its ports are the same, or what was begun there can't go on.
func (p *Place) recall() (known bool, err error) {
	text, err := os.ReadFile(p.note())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, errors.Join(err, json.Unmarshal(text, &p.ports))
}

func (p *Place) remember() error {
	text, err := json.Marshal(p.ports)
	return errors.Join(err, os.WriteFile(p.note(), text, 0o600))
}

func (p *Place) note() string { return filepath.Join(p.Dir, "ports.json") }

func (p *Place) repository(ctx context.Context, name, file, text string) error {
	dir := filepath.Join(p.Dir, "git", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(p.git(ctx, name, "init", "--quiet", "--initial-branch=main"), p.commit(ctx, name, file, text))
}

// commit writes a file of a repository.
func (p *Place) commit(ctx context.Context, name, file, text string) error {
	at := filepath.Join(p.Dir, "git", name, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil { //nolint:gosec // a repository may be read
		return err
	}
	return errors.Join(p.git(ctx, name, "add", "."), p.git(ctx, name, "-c", "user.name=demo", "-c", "user.email=demo@example.test", "commit", "--quiet", "-m", "Write "+file))
}

func (p *Place) git(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = filepath.Join(p.Dir, "git", name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return nil
}

// Work is the work folder.
func (p *Place) Work() string { return filepath.Join(cmp.Or(p.disk, p.Dir), "work") }

// Keys is the file of the keys.
func (p *Place) Keys() string { return filepath.Join(cmp.Or(p.safe, p.Dir), "keys.json") }

// API is the address of the service, and Roots what its certificate is checked with.
func (p *Place) API() string { return fmt.Sprintf("https://127.0.0.1:%d", p.ports[0]) }

// Roots is the authority of the service, of Consul and of the broker.
func (p *Place) Roots() string { return filepath.Join(p.Work(), "ca.pem") }

// Data is the service's data folder, by which commands find it.
func (p *Place) Data() string { return filepath.Join(p.Work(), "site", "volumes", "service", "data") }

// Bootstrap is the command, with further arguments.
func (p *Place) Bootstrap(ctx context.Context, args ...string) *exec.Cmd {
	n := p.ports
	if p.engine != nil || p.Kubeconfig != "" {
		args = append([]string{"--param", images}, args...)
	}
	always := []string{
		"bootstrap", "--location", p.Location, "--git-base", cmp.Or(p.base, "file://"+filepath.Join(p.Dir, "git")), "--repository-prefix", "demo-",
		"--work", p.Work(), "--keys", p.Keys(),
	}
	if p.Kubeconfig != "" { // where everybody has ports of their own
		always = append(always, "--namespace", namespace, "--param", "storage_class=by-hand")
		if p.pulled != "" {
			always = append(always, "--image-registry", p.pulled)
		}
		return p.Command(ctx, append(always, args...)...)
	}
	return p.Command(ctx, append(append(always,
		"--param", fmt.Sprint("api_port=", n[0]), "--param", fmt.Sprint("amqp_port=", n[1]), "--param", fmt.Sprint("management_port=", n[2]),
		"--param", fmt.Sprintf(`erlang_ports={"distribution":%d,"mapper":%d}`, n[3], n[4]),
		"--param", fmt.Sprintf(`consul_ports={"http":%d,"server":%d,"lan":%d,"wan":%d}`, n[5], n[6], n[7], n[8]),
		"--param", fmt.Sprintf(`vault_ports={"http":%d,"cluster":%d}`, n[9], n[10]), "--param", fmt.Sprint("amqps_port=", n[11]),
	), args...)...)
}

// Destroy is the command that takes all down again; the work folder knows the rest.
func (p *Place) Destroy(ctx context.Context) *exec.Cmd {
	return p.Command(ctx, "bootstrap", "--work", p.Work(), "--keys", p.Keys(), "--destroy")
}

// Command is the program with its own variables taken away and the programs of the place in its PATH.
func (p *Place) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Program, args...)
	cmd.Dir = p.Dir
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "PATH" && !strings.HasPrefix(name, "VIVARIUM_") && !strings.HasPrefix(name, "VAULT_") && !strings.HasPrefix(name, "CONSUL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+p.path)
	if p.Kubeconfig == "" {
		cmd.Env = append(cmd.Env, "VIVARIUM_CA_FILE="+p.Roots())
	}
	if p.Kubeconfig != "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+p.Kubeconfig)
	}
	if p.engine != nil {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+p.engine.Host())
	}
	return cmd
}

// namespace is where everything is in a cluster.
const namespace = "viv"

// Left are processes of the place that still run, by their command lines, and what its engine has.
func (p *Place) Left(ctx context.Context) ([]string, error) {
	running, err := p.left()
	left := slices.Sorted(maps.Values(running))
	if err != nil || p.engine == nil {
		return left, err
	}
	more, err := p.leftInDocker(ctx)
	return append(left, more...), err
}

// left are the same by their numbers: whose command line or working folder has the work folder in it.
func (p *Place) left() (map[int]string, error) {
	list := map[int]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil {
			continue // it has ended
		}
		at, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd")) // "" where it has ended
		if text := strings.ReplaceAll(string(line), "\x00", " "); strings.Contains(text, p.Work()) || strings.HasPrefix(at, p.Work()) {
			list[pid] = text
		}
	}
	return list, nil
}
