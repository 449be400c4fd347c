package main

import (
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// approvalWords are about what somebody else has to agree to.
func approvalWords(body any) string {
	switch b := body.(type) {
	case environment.AwaitingApproval:
		text := "the " + b.Kind + countWords(wouldCounts(b.Counts))
		if len(b.Needs) == 0 {
			return text + "; nobody has to approve that"
		}
		return text + "; it waits for approval by " + approvers(environment.Awaits{Needs: b.Needs}) + ", until " + moment(b.Until)
	case environment.StepHeld:
		return b.Step + ": stopped, since " + b.Why + "; it waits for approval by " + approvers(environment.Awaits{Needs: b.Needs}) + ", until " + moment(b.Until)
	case environment.Approved:
		return "approved by " + nameless(b.RequestedBy) + ofSteps(b.Steps) + reasonWords(b.Comment)
	case environment.Refused:
		return "rejected by " + nameless(b.RequestedBy) + ofSteps(b.Steps) + reasonWords(b.Comment)
	case environment.ApprovalExpired:
		return "nobody has approved it in time, which was until " + moment(b.Until) + ofSteps(b.Steps)
	}
	return ""
}

func nameless(source string) string {
	if source == "" {
		return "somebody who gave no name"
	}
	return source
}

func ofSteps(steps []string) string {
	if len(steps) == 0 {
		return ""
	}
	return " (" + strings.Join(steps, ", ") + ")"
}
