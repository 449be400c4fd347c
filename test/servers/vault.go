package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Vault is a private Vault of one node with its own storage (raft: the minimal build has no plain files), unsealed by one
// key that this helper keeps beside the data. Its methods may
// be called from several goroutines, one at a time takes effect.
type Vault struct {
	dir     string
	program string
	port    int
	cluster int // the port that nodes talk to each other on, of which this one has nobody
	keys    vaultKeys
	version string

	mu     sync.Mutex
	server *child
}

// vaultKeys is what the initialisation gave, kept in the folder so that the data can be used again.
type vaultKeys struct {
	Unseal []string `json:"keys_base64"`
	Root   string   `json:"root_token"`
}

// VaultOptions choose what StartVault would otherwise choose itself.
type VaultOptions struct {
	// Uninitialised leaves the server as it is when it first answers, without keys and sealed.
	Uninitialised bool
}

// StartVault starts a Vault with its data in dir and returns when it is initialised, unsealed and answers. The program
// is VaultBinary's, which may take minutes to build the first time.
func StartVault(ctx context.Context, dir string, o ...VaultOptions) (*Vault, error) {
	program, err := VaultBinary(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	v := &Vault{dir: dir, program: program, port: ports[0], cluster: ports[1]}
	if err := v.prepare(); err != nil {
		return nil, fmt.Errorf("preparing %s for Vault: %w", dir, err)
	}
	begin := v.begin
	if len(o) > 0 && o[0].Uninitialised {
		begin = v.Start
	}
	if err := begin(ctx); err != nil {
		return nil, errors.Join(err, v.Kill())
	}
	return v, nil
}

func (v *Vault) begin(ctx context.Context) error {
	if err := v.Start(ctx); err != nil {
		return err
	}
	if err := v.initialise(ctx); err != nil {
		return err
	}
	return v.Unseal(ctx)
}

// Address is the URL that clients take, such as http://127.0.0.1:8200.
func (v *Vault) Address() string { return "http://127.0.0.1:" + strconv.Itoa(v.port) }

// RootToken may do everything.
func (v *Vault) RootToken() string { return v.keys.Root }

// Version is what the server says it is, such as 1.21.0.
func (v *Vault) Version() string { return v.version }

func (v *Vault) prepare() error {
	for _, name := range []string{"home", "data"} {
		if err := os.MkdirAll(filepath.Join(v.dir, name), 0o700); err != nil {
			return err
		}
	}
	configuration := fmt.Sprintf(`disable_mlock = true
ui            = false
log_level     = "warn"
api_addr      = %q
cluster_addr  = "http://127.0.0.1:%d"
storage "raft" {
  path                   = %q
  node_id                = "one"
  performance_multiplier = 1
}
listener "tcp" {
  address     = "127.0.0.1:%d"
  tls_disable = true
}
`, v.Address(), v.cluster, filepath.Join(v.dir, "data"), v.port)
	return os.WriteFile(filepath.Join(v.dir, "vault.hcl"), []byte(configuration), 0o600)
}

// Start starts a Vault that was stopped or killed, on the same port and data, and returns when it answers: it is sealed.
func (v *Vault) Start(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.server.running() {
		return nil
	}
	console, err := os.OpenFile(v.console(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = console.Close() }()
	cmd := exec.Command(v.program, "server", "-config", filepath.Join(v.dir, "vault.hcl"))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = v.dir, environmentWithout(filepath.Join(v.dir, "home"), "VAULT_"), console, console
	if v.server, err = startChild(cmd); err != nil {
		return err
	}
	return v.ready(ctx)
}

// ready waits until the server answers, sealed or not.
func (v *Vault) ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := v.health(ctx)
		if err == nil {
			v.version = state.Version
			return nil
		}
		select {
		case <-tick.C:
		case <-v.server.done:
			return fmt.Errorf("Vault ended while it started (%w); it said:\n%s", v.server.err, lastWords(v.console()))
		case <-ctx.Done():
			return fmt.Errorf("Vault does not answer on %s (%w): %w; it said:\n%s", v.Address(), err, ctx.Err(), lastWords(v.console()))
		}
	}
}

// Stop ends the server in an orderly way, or by force when ctx ends first.
func (v *Vault) Stop(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.server.stop(ctx)
}

// Kill ends the server as a crash would (SIGKILL).
func (v *Vault) Kill() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.server.kill()
}

// Restart is Stop and Start; the server is sealed afterwards, until Unseal.
func (v *Vault) Restart(ctx context.Context) error {
	if err := v.Stop(ctx); err != nil {
		return err
	}
	return v.Start(ctx)
}

func (v *Vault) console() string { return filepath.Join(v.dir, "console.log") }
