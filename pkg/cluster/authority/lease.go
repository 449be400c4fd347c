package authority

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Lease is how long a primary may act. It is safe for concurrent use.
type Lease struct {
	length time.Duration

	mu      sync.Mutex
	members []string             // that are asked, sorted
	heard   map[string]time.Time // when the primary said what a secondary heard last, also of those that are not asked yet
}

// NewLease makes a lease of a length, for a primary that knows of these secondaries; 0 acts without asking anybody. One
// that begins has no authority before enough of them were heard.
func NewLease(length time.Duration, members ...string) *Lease {
	l := &Lease{length: length, heard: map[string]time.Time{}}
	l.Ask(members...)
	return l
}

// Heard takes the word of a secondary: said is the moment, by the primary's own clock, at which the primary had said what
// the secondary answers to. The words of one that is not asked count once it is.
func (l *Lease) Heard(member string, said time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if said.After(l.heard[member]) {
		l.heard[member] = said
	}
}

// Ask sets which secondaries are asked from now on.
func (l *Lease) Ask(members ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members = slices.Sorted(slices.Values(members))
}

// Forget drops the words of a secondary, unless it is asked.
func (l *Lease) Forget(member string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.members, member) {
		delete(l.heard, member)
	}
}

// Members are the secondaries that are asked, sorted.
func (l *Lease) Members() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.members)
}

// Needs is how many secondaries have to be heard.
func (l *Lease) Needs() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Quorum(len(l.members))
}

// Until is how long the primary may act as far as it knows now: always, where nobody has to be asked.
func (l *Lease) Until() (until time.Time, always bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	need := Quorum(len(l.members))
	if l.length <= 0 || need == 0 {
		return time.Time{}, true
	}
	said := make([]time.Time, 0, len(l.members))
	for _, m := range l.members {
		said = append(said, l.heard[m])
	}
	slices.SortFunc(said, func(a, b time.Time) int { return b.Compare(a) })
	if oldest := said[need-1]; !oldest.IsZero() {
		return oldest.Add(l.length), false
	}
	return time.Time{}, false
}

// Left is how long the primary may act from now on; the error, fault.AuthorityLost, says why it may not. always: nobody has to be asked.
func (l *Lease) Left(now time.Time) (left time.Duration, always bool, err error) {
	until, always := l.Until()
	switch left := until.Sub(now); {
	case always:
		return 0, true, nil
	case left > 0:
		return left, false, nil
	}
	members := l.Members()
	return 0, false, fault.New(fault.Wait, fault.AuthorityLost, "%d of the secondaries %v have to be heard for this side to act, and were not for %s: another side may have taken over",
		Quorum(len(members)), members, l.length)
}

// Quorum is how many of the secondaries make, together with the primary, a majority of all.
func Quorum(secondaries int) int { return (secondaries + 1) / 2 }

// Agree is how many of the secondaries, the one that asks among them, have to say no word more to a primary for it to lose its lease. One
// of so many has everything that a primary has waited for a majority to have.
func Agree(secondaries int) int { return secondaries - Quorum(secondaries) + 1 }

// String tells for logs.
func (l *Lease) String() string {
	until, always := l.Until()
	if always {
		return "nobody has to be asked"
	}
	return fmt.Sprintf("until %s", until.Format(time.RFC3339Nano))
}
