package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// sealed is what a state's file holds, sealed as a whole: the names are in it so that a file put in another's place is not
// taken for it.
type sealed struct {
	Environment string          `json:"environment"`
	Step        string          `json:"step"`
	State       json.RawMessage `json:"state"`
}

// fromRunner gives a request whose state the server does not keep one that lies sealed with the runner.
func (e *Executor) fromRunner(r executor.Request) (executor.Request, error) {
	if r.State != nil || r.SaveState != nil || e.options.StateDir == "" {
		return r, nil
	}
	box := e.options.Key()
	if box == nil {
		return r, fault.New(fault.Wait, fault.SecretUnavailable, "the cluster's key has not reached this runner yet; without it no state is read or written")
	}
	sum := sha256.Sum256([]byte(r.Environment + "\x00" + r.Step))
	name := hex.EncodeToString(sum[:])
	file := filepath.Join(e.options.StateDir, name[:2], name+".state")
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fault.Wrap(err, fault.Retry, fault.Internal, "the state of %s can't be read", r.Step)
	}
	if err == nil {
		var found sealed
		plain, err := box.OpenBytes(string(text))
		if err == nil {
			err = json.Unmarshal(plain, &found)
		}
		if err != nil || found.Environment != r.Environment || found.Step != r.Step {
			return r, fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable,
				"the state of %s can't be opened: it was altered, or sealed with another cluster's key; restore it from a backup", r.Step)
		}
		r.State = found.State
	}
	r.SaveState = func(_ context.Context, data []byte) error {
		if data == nil {
			err := os.Remove(file)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		plain, err := json.Marshal(sealed{Environment: r.Environment, Step: r.Step, State: data})
		if err != nil {
			return err
		}
		return replace(file, []byte(box.SealBytes(plain)))
	}
	return r, nil
}
