package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-config-inspect/tfconfig"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// store keeps the sealed state of one step.
type store struct {
	dir, environment, step string
	box                    *secret.Box
}

// sealed is what a state's file holds, sealed as a whole: the names are in it so that a file put in another's place
// is not taken for it.
type sealed struct {
	Environment string          `json:"environment"`
	Step        string          `json:"step"`
	State       json.RawMessage `json:"state"`
}

func (e *Executor) store(r executor.Request) (*store, error) {
	box := e.options.Key()
	if box == nil {
		return nil, fault.New(fault.Wait, fault.SecretUnavailable, "the cluster's key has not reached this runner yet; without it no state is read or written")
	}
	return &store{dir: e.options.StateDir, environment: r.Environment, step: r.Step, box: box}, nil
}

// file is where something of the step is kept: names of steps are longer and have other characters than file systems
// take.
func (s *store) file(what string) string {
	sum := sha256.Sum256([]byte(s.environment + "\x00" + s.step))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(s.dir, name[:2], name+"."+what)
}

// read returns the state, nil when there is none.
func (s *store) read() (json.RawMessage, error) {
	text, err := os.ReadFile(s.file("state"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Internal, "the state of %s can't be read", s.step)
	}
	plain, err := s.box.OpenBytes(string(text))
	var found sealed
	if err == nil {
		err = json.Unmarshal(plain, &found)
	}
	if err == nil && (found.Environment != s.environment || found.Step != s.step) {
		err = errors.New("the state is another step's")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable,
			"the state of %s can't be opened: it was altered, or sealed with another cluster's key; restore it from a backup", s.step)
	}
	return found.State, nil
}

// write replaces the state, whole or not at all.
func (s *store) write(state json.RawMessage) error {
	plain, err := json.Marshal(sealed{Environment: s.environment, Step: s.step, State: state})
	if err != nil {
		return err
	}
	return replace(s.file("state"), []byte(s.box.SealBytes(plain)))
}

func (s *store) remove() error {
	if err := os.Remove(s.file("state")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *store) parsed() (state, error) {
	raw, err := s.read()
	if err != nil {
		return state{}, err
	}
	return parseState(raw)
}

func replace(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// state is what is of interest in a state file of version 4.
type state struct {
	Outputs map[string]struct {
		Value     json.RawMessage `json:"value"`
		Sensitive bool            `json:"sensitive"`
	} `json:"outputs"`
	Resources []struct {
		Module    string            `json:"module"`
		Mode      string            `json:"mode"`
		Type      string            `json:"type"`
		Name      string            `json:"name"`
		Instances []json.RawMessage `json:"instances"`
	} `json:"resources"`
}

func parseState(raw json.RawMessage) (state, error) {
	var s state
	if len(raw) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "Terraform's state is not of a version that is understood (4)")
	}
	return s, nil
}

// managed are the addresses of the resources that exist; data sources leave nothing behind.
func (s state) managed() []string {
	var found []string
	for _, r := range s.Resources {
		if r.Mode == "managed" && len(r.Instances) > 0 {
			found = append(found, strings.TrimPrefix(r.Module+"."+r.Type+"."+r.Name, "."))
		}
	}
	return found
}

// outputs are those that the module declares. Terraform keeps no output whose value is null.
func (s state) outputs(r executor.Request, declared map[string]*tfconfig.Output) executor.Outputs {
	found := make(executor.Outputs, len(declared))
	for name, d := range declared {
		o, ok := s.Outputs[name]
		if !ok {
			found[name] = executor.Value{Value: json.RawMessage("null"), Sensitive: d.Sensitive}
			continue
		}
		found[name] = executor.Value{Value: o.Value, Sensitive: d.Sensitive || o.Sensitive || r.Holds(o.Value)}
	}
	return found
}

// some names a few of many.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
