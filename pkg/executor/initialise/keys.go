package initialise

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// VaultKeys are what Vault says once, when it is initialised.
type VaultKeys struct {
	// Address is the Vault that they are of.
	Address string `json:"address"`
	// CA is what its certificate is checked with, in PEM; "" takes the system's roots.
	CA string `json:"ca,omitempty"`
	// Nodes are those of a cluster, each of which is unsealed by itself.
	Nodes []string `json:"nodes,omitempty"`
	// Unseal is empty, and Recovery is not, of a Vault that unseals itself.
	Unseal    []string `json:"unseal_keys,omitempty"`
	Recovery  []string `json:"recovery_keys,omitempty"`
	RootToken string   `json:"root_token"`
}

// KeysFile is what an operator keeps.
type KeysFile struct {
	// ClusterKey seals what the journal keeps, base64 of 32 bytes.
	ClusterKey string     `json:"cluster_key"`
	Vault      *VaultKeys `json:"vault,omitempty"`
	// Begun is the Vault that is asked for keys, from before the question until its answer is kept.
	Begun string `json:"vault_begun,omitempty"`
}

// Keys are the operator's keys: in memory, and in the file that the operator has named, mode 0600, if one was. Safe for concurrent use.
type Keys struct {
	file string

	mu   sync.Mutex
	held KeysFile
}

// OpenKeys reads the file where there is one; "" is none, and keeps all in memory.
func OpenKeys(file string) (*Keys, error) {
	k := &Keys{file: file}
	if file == "" {
		return k, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Unreadable, "the file of the keys can't be read")
	}
	if err := json.Unmarshal(text, &k.held); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Unreadable, "%s is not a file of keys", file)
	}
	return k, nil
}

// Held is what is known now.
func (k *Keys) Held() KeysFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// SetClusterKey keeps the key, base64 of 32 bytes.
func (k *Keys) SetClusterKey(key string) error {
	return k.change(func(f *KeysFile) { f.ClusterKey = key })
}

// of are the keys of a Vault, nil where they are not known.
func (k *Keys) of(address string) *VaultKeys {
	if k == nil {
		return nil
	}
	held := k.Held()
	if held.Vault == nil || held.Vault.Address != address {
		return nil
	}
	return held.Vault
}

// Lost tells whether a Vault was asked for its keys, and its answer did not get here: who asked was killed meanwhile. Then nobody has them, so
// nobody can have put anything into that Vault.
func (k *Keys) Lost() bool {
	held := k.Held()
	return held.Begun != "" && k.of(held.Begun) == nil
}

// Forget forgets a Vault that is gone: its keys, or the question whose answer was lost.
func (k *Keys) Forget() error { return k.change(func(f *KeysFile) { f.Begun, f.Vault = "", nil }) }

// begin notes that a Vault is asked, and finds out, before it says what it says once, whether that can be kept. Where it can't, it is not asked.
func (k *Keys) begin(address string) error {
	was := k.Held().Begun
	err := k.change(func(f *KeysFile) { f.Begun = address })
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.held.Begun = was
	}
	return err
}

// setVault keeps them in memory in any case; the error is about the file.
func (k *Keys) setVault(v VaultKeys) error {
	return k.change(func(f *KeysFile) { f.Vault, f.Begun = &v, "" })
}

// change replaces the file as a whole, and it is on the disk when change returns.
func (k *Keys) change(how func(*KeysFile)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	how(&k.held)
	if k.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(k.held, "", "  ")
	if err != nil {
		return err
	}
	if err := secret.WriteFile(k.file, append(text, '\n')); err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the file of the keys can't be written: make room there, or name another with --keys")
	}
	return nil
}
