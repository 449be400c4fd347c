package orchestrator

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func checkRedeploy(r event.Redeploy, _ string, _ time.Time) error {
	switch {
	case len(r.Groups) == 0:
		return fault.New(fault.Reject, fault.Invalid, "field \"groups\" is required: the groups that are to be applied again")
	case r.Parallelism < 0:
		return fault.New(fault.Reject, fault.Invalid, "field \"parallelism\" can't be negative")
	}
	return nil
}

func checkRetry(r event.Retry, _ string, _ time.Time) error {
	return someGroups(r.Groups, "try again all that failed")
}

func checkPause(p event.Pause, _ string, _ time.Time) error {
	if len(p.Reason) > 4096 {
		return fault.New(fault.Reject, fault.Invalid, "field \"reason\" is longer than 4,096 bytes")
	}
	return someGroups(p.Groups, "pause the operation that is under way")
}

func checkResume(r event.Resume, _ string, _ time.Time) error {
	return someGroups(r.Groups, "let the operation go on that is under way")
}

// someGroups refuses a list of groups that has none.
func someGroups(groups []string, otherwise string) error {
	if groups != nil && len(groups) == 0 {
		return fault.New(fault.Reject, fault.Invalid, "field \"groups\" is empty: leave it out to %s", otherwise)
	}
	return nil
}
