package terraform

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// claim is an attempt's right to write a step's state, and Terraform's lock in it. It is kept beside the state: what
// an attempt that died has left there is taken over by a newer one, and an older one that still runs finds out that
// it has lost the right. Safe for concurrent use.
type claim struct {
	store *store
	mu    sync.Mutex
	mine  claimed
	lost  bool
}

// claimed is the file.
type claimed struct {
	// Token is drawn for each claim; only who knows it may write.
	Token     string `json:"token"`
	Epoch     uint64 `json:"epoch"`
	Operation string `json:"operation"`
	Attempt   int    `json:"attempt"`
	// Lock is Terraform's lock information, null while it has not locked.
	Lock json.RawMessage `json:"lock,omitempty"`
}

// newer tells whether c outlives an attempt: operations of one epoch follow each other, so another operation's claim
// is a left one.
func (c claimed) newer(r event.TaskRef) bool {
	return c.Epoch > r.Epoch || c.Epoch == r.Epoch && c.Operation == r.Operation && c.Attempt > r.Attempt
}

func take(s *store, r event.TaskRef, token string) (*claim, error) {
	found, err := s.claimed()
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Internal, "the lock of the state of %s can't be read", r.Step)
	}
	if found.newer(r) {
		return nil, fault.New(fault.Wait, fault.Busy, "a newer attempt holds the state of %s", r.Step)
	}
	c := &claim{store: s, mine: claimed{Token: token, Epoch: r.Epoch, Operation: r.Operation, Attempt: r.Attempt}}
	if err := c.save(); err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Internal, "the lock of the state of %s can't be written", r.Step)
	}
	return c, nil
}

func (s *store) claimed() (claimed, error) {
	var found claimed
	text, err := os.ReadFile(s.file("claim"))
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	if json.Unmarshal(text, &found) != nil {
		return claimed{}, nil // cut short by a crash: nobody holds it
	}
	return found, nil
}

func (c *claim) save() error {
	text, err := json.Marshal(c.mine)
	if err != nil {
		return err
	}
	return replace(c.store.file("claim"), text)
}

// held tells whether the claim is still this attempt's.
func (c *claim) held() bool {
	found, err := c.store.claimed()
	if err != nil || found.Token != c.mine.Token {
		c.lost = true
	}
	return !c.lost
}

// release gives the state free for whoever comes.
func (c *claim) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held() {
		_ = os.Remove(c.store.file("claim")) // one that stays is taken over by the next attempt
	}
}

// refused tells whether a newer attempt has taken the state away.
func (c *claim) refused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// write replaces the state if the claim still holds.
func (c *claim) write(state json.RawMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held() {
		return errLost
	}
	return c.store.write(state)
}

func (c *claim) remove() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held() {
		return errLost
	}
	return c.store.remove()
}

var (
	errLost   = fault.New(fault.Wait, fault.Busy, "a newer attempt has taken the state over")
	errLocked = errors.New("the state is locked")
)

// lock records Terraform's lock. Locking again with the same id is success; otherwise the error is errLocked or
// errLost, and the answer what holds it.
func (c *claim) lock(info json.RawMessage) (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held() {
		return lockOf(c.store), errLost
	}
	if c.mine.Lock != nil && lockID(c.mine.Lock) != lockID(info) {
		return c.mine.Lock, errLocked
	}
	c.mine.Lock = info
	return nil, c.save()
}

// unlock gives Terraform's lock back; only its holder's id does.
func (c *claim) unlock(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held() {
		return errLost
	}
	if c.mine.Lock != nil && lockID(c.mine.Lock) != id {
		return errLocked
	}
	c.mine.Lock = nil
	return c.save()
}

// mayWrite tells whether a write with this lock id is its holder's.
func (c *claim) mayWrite(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mine.Lock == nil && id == "" || c.mine.Lock != nil && lockID(c.mine.Lock) == id
}

func lockOf(s *store) json.RawMessage {
	found, err := s.claimed()
	if err != nil || found.Lock == nil {
		return json.RawMessage("{}")
	}
	return found.Lock
}

func lockID(info json.RawMessage) string {
	var lock struct{ ID string }
	_ = json.Unmarshal(info, &lock) // what is no lock information has no id
	return lock.ID
}
