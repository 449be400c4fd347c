package servers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/vivarium-env/vivarium/test/ports"
)

// Vault is a private Vault of one node with its own storage (raft: the minimal build has no plain files), unsealed by one
// key that this helper keeps beside the data. Its methods may
// be called from several goroutines, one at a time takes effect.
type Vault struct {
	server
	program string
	port    int
	cluster int // the port that nodes talk to each other on
	keys    vaultKeys
	version string
	seal    string
	node    string
	join    string // who it joins
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
	// Seal is a block of its configuration, by which it unseals itself.
	Seal string
	// Join is the address of another Vault, whose cluster this one is to be a node of once it is unsealed by the other's keys; Node is its name there.
	Join, Node string
}

// StartVault starts a Vault with its data in dir and returns when it is initialised, unsealed and answers. The program
// is VaultBinary's, which may take minutes to build the first time.
func StartVault(ctx context.Context, dir string, o ...VaultOptions) (*Vault, error) {
	program, err := VaultBinary(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	free, err := ports.Free(2)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	v := &Vault{program: program, port: free[0], cluster: free[1]}
	v.server = server{name: "Vault", dir: dir, where: v.Address, command: v.command, environment: v.environment, answers: v.answers}
	for _, o := range o {
		v.seal, v.join, v.node = o.Seal, o.Join, o.Node
	}
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
	join := ""
	if v.join != "" {
		join = fmt.Sprintf("  retry_join {\n    leader_api_addr = %q\n  }\n", v.join)
	}
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
  node_id                = %q
  performance_multiplier = 1
%s}
listener "tcp" {
  address         = "127.0.0.1:%d"
  cluster_address = "127.0.0.1:%d"
  tls_disable     = true
}
%s`, v.Address(), v.cluster, filepath.Join(v.dir, "data"), cmp.Or(v.node, "one"), join, v.port, v.cluster, v.seal)
	return os.WriteFile(filepath.Join(v.dir, "vault.hcl"), []byte(configuration), 0o600)
}

func (v *Vault) command() *exec.Cmd {
	return exec.Command(v.program, "server", "-config", filepath.Join(v.dir, "vault.hcl"))
}

func (v *Vault) environment() []string {
	return environmentWithout(filepath.Join(v.dir, "home"), "VAULT_")
}

// answers tells whether the server answers, sealed or not: after a Start it is sealed, until Unseal.
func (v *Vault) answers(ctx context.Context) error {
	state, err := v.health(ctx)
	if err == nil {
		v.version = state.Version
	}
	return err
}
