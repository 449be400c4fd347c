package environment

import (
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// destructive tells whether something that is there would be gone, if only to be made again.
func destructive(c event.Change) bool { return c == event.ChangeDestroy || c == event.ChangeReplace }

// unseen says what an executor would do now that a plan did not show of the step, "" when the plan has shown all of it. Where
// the plan could not tell, everything may be done that takes nothing away.
func unseen(shown *KeptStep, now event.Plan) string {
	switch {
	case now.Change == event.ChangeNone:
		return ""
	case shown == nil || shown.Change == event.ChangeNone:
		return "it would change (" + string(now.Change) + ")"
	case now.Change == event.ChangeUnknown && shown.Change != event.ChangeUnknown:
		return "it can't be told what would change"
	case now.Change == event.ChangeUnknown:
		return "it still can't be told what would change"
	case destructive(now.Change) && !destructive(shown.Change):
		return "it would be destroyed (" + string(now.Change) + ")"
	}
	return unseenWithin(shown, now)
}

// unseenWithin looks at the single things that a step changes.
func unseenWithin(shown *KeptStep, now event.Plan) string {
	seen := make(map[Shown]bool, len(shown.Shown))
	for _, d := range shown.Shown {
		seen[d] = true
	}
	known := shown.Fingerprint != "" && shown.Omitted == 0 // then the plan has shown every single one
	for _, d := range now.Differences {
		if !seen[Shown{Path: d.Path, Change: d.Change}] && (known || destructive(d.Change)) {
			return fmt.Sprintf("%s would change (%s)", d.Path, d.Change)
		}
	}
	if known && now.Change == event.ChangeCreate && shown.Change == event.ChangeUpdate {
		return "it is gone, and would be made anew"
	}
	if now.Omitted > shown.Omitted && now.Change != event.ChangeCreate {
		return fmt.Sprintf("there are %d differences too many to show", now.Omitted)
	}
	return ""
}
