package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// kept is what a step keeps with the server, as JSON (executor.Request.State).
type kept struct {
	// Terraform is the module's state, unless the module has a backend of its own.
	Terraform json.RawMessage `json:"terraform,omitempty"`
	// Holders are the attempts that may have left a lock in the module's own backend: there from before an attempt locks until
	// one has ended well.
	Holders []holder `json:"holders,omitempty"`
}

func (k kept) empty() bool { return k.Terraform == nil && len(k.Holders) == 0 }

// keeper holds what a step keeps, for one run: the server has the durable copy, and refuses it from an attempt that a newer
// one has followed. Terraform's lock needs to last no longer than the run for that reason. Safe for concurrent use.
type keeper struct {
	request executor.Request
	// saving is the context of what is saved: it outlives that of the run by the grace period, in which an interrupted
	// Terraform hands in what it has made.
	saving context.Context //nolint:containedctx // the state server's requests have none that ends with the run
	stop   context.CancelFunc

	mu      sync.Mutex
	now     kept
	lock    json.RawMessage // Terraform's lock information, nil while it has not locked
	refused error           // why the server did not take the last state
}

var (
	errLost = fault.New(fault.Wait, fault.Busy,
		"the server no longer takes the state of this attempt, since a newer one has the step; that one goes on with the state as it was last taken")
	errLocked   = errors.New("the state is locked")
	errReadOnly = errors.New("a look does not write the state")
)

func (e *Executor) keep(ctx context.Context, r executor.Request) (*keeper, error) {
	k := &keeper{request: r}
	if len(r.State) > 0 {
		if err := json.Unmarshal(r.State, &k.now); err != nil {
			return nil, fault.Wrap(err, fault.GiveUp, fault.Unreadable,
				"what the server keeps of %s can't be read: it was written by a newer Vivarium, or altered; update this runner, or restore the state from a backup", r.Step)
		}
	}
	k.saving, k.stop = outlive(ctx, e.options.Grace)
	return k, nil
}

// outlive is a context that ends some time after another one.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}

// state is Terraform's, nil when there is none.
func (k *keeper) state() json.RawMessage {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now.Terraform
}

func (k *keeper) parsed() (state, error) { return parseState(k.state()) }

func (k *keeper) copy() kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

// change saves what the step keeps with a change; when it can't be saved, nothing has changed.
func (k *keeper) change(edit func(*kept)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := k.now
	edit(&next)
	var data []byte
	if !next.empty() {
		var err error
		if data, err = json.Marshal(next); err != nil {
			return err
		}
	}
	if k.request.SaveState == nil {
		return errReadOnly
	}
	if k.refused = k.request.SaveState(k.saving, data); k.refused != nil {
		return k.refused
	}
	k.now = next
	return nil
}

func (k *keeper) write(state json.RawMessage) error {
	return k.change(func(next *kept) { next.Terraform = state })
}

func (k *keeper) remove() error {
	return k.change(func(next *kept) { next.Terraform = nil })
}

// trouble is why the last state could not be saved, nil when it was.
func (k *keeper) trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var known *fault.Error
	switch {
	case k.refused == nil:
		return nil
	case errors.As(k.refused, &known) && (known.Code == fault.Busy || known.Code == fault.Conflict || known.Code == fault.StaleEpoch):
		return errLost
	}
	return k.refused
}

// lost tells whether a newer attempt has the step.
func (k *keeper) lost() bool { return errors.Is(k.trouble(), errLost) }

// take records Terraform's lock. Locking again with the same id is success; otherwise the error is errLocked, and the
// answer what holds it.
func (k *keeper) take(info json.RawMessage) (json.RawMessage, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lock != nil && lockID(k.lock) != lockID(info) {
		return k.lock, errLocked
	}
	k.lock = info
	return nil, nil
}

// release gives Terraform's lock back; only its holder's id does.
func (k *keeper) release(id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lock != nil && lockID(k.lock) != id {
		return errLocked
	}
	k.lock = nil
	return nil
}

// mayWrite tells whether a write with this lock id is its holder's.
func (k *keeper) mayWrite(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lock == nil && id == "" || k.lock != nil && lockID(k.lock) == id
}

func lockID(info json.RawMessage) string {
	var lock struct{ ID string }
	_ = json.Unmarshal(info, &lock) // what is no lock information has no id
	return lock.ID
}
