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
	members map[string]time.Time // when the primary said what the secondary heard last; zero: it never did
}

// NewLease makes a lease of a length, for a primary that knows of these secondaries; 0 acts without asking anybody. One
// that begins has no authority before enough of them were heard.
func NewLease(length time.Duration, members ...string) *Lease {
	l := &Lease{length: length, members: map[string]time.Time{}}
	for _, m := range members {
		l.members[m] = time.Time{}
	}
	return l
}

// Heard takes the word of a secondary: said is the moment, by the primary's own clock, at which the primary had said what
// the secondary answers to. A secondary that was not known counts from now on.
func (l *Lease) Heard(member string, said time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if said.After(l.members[member]) {
		l.members[member] = said
	}
}

// Forget takes a secondary out that is no more.
func (l *Lease) Forget(member string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.members, member)
}

// Members are the secondaries that are asked, sorted.
func (l *Lease) Members() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.members))
	for m := range l.members {
		names = append(names, m)
	}
	slices.Sort(names)
	return names
}

// Needs is how many secondaries have to be heard.
func (l *Lease) Needs() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return quorum(len(l.members))
}

// Until is how long the primary may act as far as it knows now: always, where nobody has to be asked.
func (l *Lease) Until() (until time.Time, always bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	need := quorum(len(l.members))
	if l.length <= 0 || need == 0 {
		return time.Time{}, true
	}
	said := make([]time.Time, 0, len(l.members))
	for _, at := range l.members {
		said = append(said, at)
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
		quorum(len(members)), members, l.length)
}

// quorum is how many of the secondaries make, together with the primary, a majority of all.
func quorum(secondaries int) int { return (secondaries + 1) / 2 }

// Agree is how many of the secondaries, the one that asks among them, have to say no word more to a primary for it to lose its lease. One
// of so many has everything that a primary has waited for a majority to have.
func Agree(secondaries int) int { return secondaries - quorum(secondaries) + 1 }

// String tells for logs.
func (l *Lease) String() string {
	until, always := l.Until()
	if always {
		return "nobody has to be asked"
	}
	return fmt.Sprintf("until %s", until.Format(time.RFC3339Nano))
}
