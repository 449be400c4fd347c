package executortest

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Secret is the value that has to stay hidden.
const Secret = "correct-horse-battery-staple"

// Underway is what the inputs of Suite.Slow make the executor log once its work has begun.
const Underway = "suite-is-underway"

// Patience bounds every wait of the suite; a machine under load needs much of it, a right executor little.
const Patience = 60 * time.Second

// Suite describes the executor under test. Each test has an environment of its own (executor.TaskRef), by which executors
// whose resources need names of their own tell them apart.
type Suite struct {
	// New makes the executor; what it keeps goes below dir. Two of the same dir are one before and after a restart, two of
	// different ones are those of two runners.
	New func(t *testing.T, dir string) executor.Executor
	// Bundle is the folder that requests carry.
	Bundle string
	// Plain are inputs that can be applied again and again.
	Plain json.RawMessage
	// Other are inputs that ask for something else of the same resource.
	Other json.RawMessage
	// Partial are the inputs Plain, less one that is not known yet, and so is null.
	Partial *Partial
	// WithSecret are inputs that have Secret in them.
	WithSecret json.RawMessage
	// Slow are inputs whose apply logs Underway and ends only once the file gate exists.
	Slow func(gate string) json.RawMessage
	// Tamper changes behind the executor's back what an apply of the request made, so that the next apply has to mend it.
	Tamper func(t *testing.T, r executor.Request)
	// Adopt has somebody else make what the request asks for, and returns what an executor.Adopter finds it by.
	Adopt func(t *testing.T, r executor.Request) json.RawMessage
	// Unobservable executors always answer event.PresenceUnknown, and find nothing to destroy.
	Unobservable bool
	// Changed, when not nil, tells from the log of an apply whether it changed anything.
	Changed func(lines []string) bool
	// Lacks says why the suite has no Other, Partial, Slow, Tamper or Adopt, by the name of the field, and why a test that needs one of
	// them, or "Plan", "Runners" or "Foreign", is not for this executor. Without a reason the suite fails.
	Lacks map[string]string
}

// Partial are inputs that are not known in full.
type Partial struct {
	Inputs json.RawMessage
	// Unknown is executor.Request.Unknown.
	Unknown map[string][]string
}

// Run runs the suite; call it from a test function that does nothing else, since that function is run again as a
// child process.
func Run(t *testing.T, s Suite) {
	if dir := os.Getenv(childDir); dir != "" {
		s.child(t, dir)
		return
	}
	t.Run("kind", s.kind)
	t.Run("apply twice", s.applyTwice)
	t.Run("destroy twice", s.destroyTwice)
	t.Run("destroy without apply", s.destroyWithoutApply)
	t.Run("secrets", s.secrets)
	t.Run("side by side", s.sideBySide)
	t.Run("cancelled before it starts", s.cancelledBefore)
	s.with(t, "Runners", true, "another runner", s.anotherRunner)
	s.with(t, "Plan", true, "plan", s.plan)
	s.with(t, "Plan", true, "plan as saved", s.saved)
	s.with(t, "Other", s.Other != nil, "plan of other inputs", s.planOther)
	s.with(t, "Partial", s.Partial != nil, "plan of what is not known", s.planPartial)
	if s.adopter(t) {
		s.with(t, "Adopt", s.Adopt != nil, "adopt", s.adopt)
		s.with(t, "Adopt", s.Adopt != nil, "adopt what is other", s.adoptOther)
		s.with(t, "Adopt", s.Adopt != nil, "adopt what is not there", s.adoptAbsent)
		s.with(t, "Foreign", s.Adopt != nil, "adopt what is another's", s.adoptForeign)
	}
	s.with(t, "Tamper", s.Tamper != nil, "drift", s.drift)
	s.with(t, "Tamper", s.Tamper != nil, "drift of secrets", s.driftOfSecrets)
	for name, test := range map[string]func(*testing.T){"cancel": s.cancel, "deadline": s.deadline, "killed": s.killed} {
		s.with(t, "Slow", s.Slow != nil, name, test)
	}
}

// with runs a test that not every executor can pass: those that can't have to say why.
func (s Suite) with(t *testing.T, what string, has bool, name string, test func(*testing.T)) {
	why := s.Lacks[what]
	t.Run(name, func(t *testing.T) {
		if why == "" {
			require.True(t, has, "the suite has no %s: give it one, or say in Lacks why there is none", what)
			test(t)
			return
		}
		t.Logf("NOT TESTED, for want of %s: %s", what, why)
	})
}
