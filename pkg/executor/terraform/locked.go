package terraform

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// holder is an attempt that locks the module's own backend. The program draws the lock's id and tells nobody; but it says
// who locks and since when, and that is known beforehand. So the next attempt can tell a lock that a dead one has left from
// everybody else's.
type holder struct {
	Operation string `json:"operation"`
	Attempt   int    `json:"attempt"`
	// Who is the user and host that the program gives, and From when it was started, by the clock of that host.
	Who  string    `json:"who"`
	From time.Time `json:"from"`
}

// lockWithin is how long after its start the program has locked at the latest.
const lockWithin = 2 * time.Minute

// manyHolders bounds how many attempts are remembered that may have left a lock.
const manyHolders = 16

// hold notes that this attempt is about to lock, where the module has a backend of its own.
func (run *run) hold(ctx context.Context) error {
	if run.module.backend == "" {
		return nil
	}
	run.before = run.keeper.copy().Holders
	now := holder{Operation: run.request.Operation, Attempt: run.request.Attempt, Who: who(), From: time.Now().UTC()}
	all := append(slices.Clone(run.before), now)
	all = all[max(0, len(all)-manyHolders):]
	if err := run.keeper.change(func(k *kept) { k.Holders = all }); err != nil {
		return run.unsaved(ctx, err)
	}
	return nil
}

// letGo notes that nothing is locked any more.
func (run *run) letGo(ctx context.Context) error {
	if len(run.keeper.copy().Holders) == 0 {
		return nil
	}
	if err := run.keeper.change(func(k *kept) { k.Holders = nil }); err != nil {
		return run.unsaved(ctx, err)
	}
	return nil
}

// who is how OpenTofu and Terraform name the one who locks.
func who() string {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname() // as they do
	return name + "@" + host
}

// lockInfo is what the program says about a lock that it could not have.
type lockInfo struct {
	id, who, operation string
	created            time.Time
}

// leftBy is the attempt that has left the lock, nil when it is somebody else's.
func (l lockInfo) leftBy(before []holder) *holder {
	for i, h := range before {
		if l.who == h.Who && !l.created.Before(h.From) && l.created.Before(h.From.Add(lockWithin)) {
			return &before[i]
		}
	}
	return nil
}

// createdForm is Go's default form of a time.
const createdForm = "2006-01-02 15:04:05.999999999 -0700 MST"

// readLock finds a lock's description in a diagnostic: lines of a name, a colon and a value.
func readLock(d tfjson.Diagnostic) (l lockInfo, ok bool) {
	_, text, found := strings.Cut(d.Detail, "Lock Info:")
	if !found {
		return l, false
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); name {
		case "ID":
			l.id = value
		case "Who":
			l.who = value
		case "Operation":
			l.operation = value
		case "Created":
			l.created, _ = time.Parse(createdForm, value) // one that can't be read is nobody's that is known
		}
	}
	return l, l.id != ""
}

// lockedError says that somebody holds the lock of the module's own backend.
type lockedError struct {
	lock  lockInfo
	fault *fault.Error
}

func (e *lockedError) Error() string { return e.fault.Error() }
func (e *lockedError) Unwrap() error { return e.fault }

// heldLock is the error when a lock was in the way, nil otherwise.
func (m *messages) heldLock() error {
	for _, d := range m.errors {
		l, ok := readLock(d)
		if !ok {
			continue
		}
		since := ""
		if !l.created.IsZero() {
			since = " since " + l.created.Format(time.RFC3339)
		}
		return &lockedError{lock: l, fault: fault.New(fault.Retry, fault.Busy,
			"the state of %s is locked by %s%s (%s, lock %s): wait until that has ended; if it is dead, release the lock with %q in the module's folder%s",
			m.run.request.Step, orSomebody(l.who), since, strings.TrimPrefix(l.operation, "OperationType"), l.id,
			"force-unlock "+l.id, m.run.inWorkspace())}
	}
	return nil
}

func orSomebody(who string) string {
	if who == "" {
		return "somebody"
	}
	return who
}

func (run *run) inWorkspace() string {
	if run.stamp.Workspace == "" {
		return ""
	}
	return fmt.Sprintf(" and workspace %s", run.stamp.Workspace)
}

// release takes away the lock that an attempt before has left, and tells whether it did. What is left of an attempt on
// another runner, which has lost the step, is killed at the latest when its grace is over.
func (run *run) release(ctx context.Context, l lockInfo) (bool, error) {
	by := l.leftBy(run.before)
	if by == nil {
		return false, nil
	}
	if by.Who != who() {
		select {
		case <-ctx.Done():
			return false, fault.From(ctx.Err())
		case <-time.After(run.executor.options.Grace):
		}
	}
	run.log("out", fmt.Sprintf("releasing the lock %s, which attempt %d has left", l.id, by.Attempt))
	err := run.backendSays(ctx, "the lock %s of an attempt that has ended can't be released in the backend of %s", l.id, "force-unlock", "-force", l.id)
	return err == nil, err
}
