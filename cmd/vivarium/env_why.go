package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// waitingSteps are steps that do not run for one and the same reason.
type waitingSteps struct {
	reason environment.Reason
	pool   string
	steps  []string // as the tree calls them
}

// waitingOf gathers the steps that neither run nor are done, by their reason.
func waitingOf(t *tree, resources []environment.ResourceRecord) []*waitingSteps {
	type key struct {
		code         environment.ReasonCode
		detail, pool string
		until        time.Time
	}
	var list []*waitingSteps
	at := map[key]*waitingSteps{}
	for i := range resources {
		r := &resources[i]
		if r.Step.Reason == nil || r.Step.State == environment.StateRunning {
			continue
		}
		k := key{code: r.Step.Reason.Code, detail: r.Step.Reason.Detail, pool: r.PoolName()}
		if r.Step.Reason.Until != nil {
			k.until = *r.Step.Reason.Until
		}
		w, ok := at[k]
		if !ok {
			w = &waitingSteps{reason: *r.Step.Reason, pool: k.pool}
			at[k] = w
			list = append(list, w)
		}
		w.steps = append(w.steps, t.label(t.leaves[r.Address]))
	}
	return list
}

// writeWaiting says why steps do not run and what to do about it.
func writeWaiting(b *strings.Builder, name string, t *tree, list []*waitingSteps, s style) {
	for i, w := range list {
		if i == 0 {
			b.WriteString("\nWaiting\n")
		}
		fmt.Fprintf(b, "  %s\n", s.bold(clean(severalOf(w.steps))))
		detail := clean(t.shorten(w.reason.Detail))
		if w.reason.Until != nil {
			detail += fmt.Sprintf(" (until %s)", w.reason.Until.Local().Format(time.TimeOnly))
		}
		fmt.Fprintf(b, "      %s %s\n", s.yellow(string(w.reason.Code)+":"), detail)
		if text := advice(w.reason.Code, name, w.pool); text != "" {
			fmt.Fprintf(b, "      %s %s\n", s.dim("→"), text)
		}
	}
}

// severalOf names the first few.
func severalOf(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// advice is what to do about a reason, or that there is nothing to do.
func advice(code environment.ReasonCode, name, pool string) string {
	switch code {
	case environment.BecauseDependency:
		return "it begins by itself once they are done"
	case environment.BecauseDependencyFailed:
		return "mend what failed, then: vivarium env retry " + name
	case environment.BecauseEnvironmentLimit:
		return "it begins by itself; a create command with a higher parallelism, or a server with one, lets more run at once"
	case environment.BecausePoolLimit:
		return "it begins by itself when a runner is free; more runners: vivarium runner --pool " + pool
	case environment.BecauseNoRunner:
		return "start a runner: vivarium runner --pool " + pool + " (who is there: vivarium runner list)"
	case environment.BecauseNoExecutor:
		return "start the server with that executor (runner.plugins), or cancel: vivarium env cancel " + name
	case environment.BecauseBreaker:
		return "it begins by itself when the target answers again; who can't reach what: vivarium runner list"
	case environment.BecauseBackoff, environment.BecauseLost:
		return "it is tried again by itself"
	case environment.BecauseEnvironment:
		return "it begins by itself when that environment is deployed"
	case environment.BecauseApproval:
		return "see it with: vivarium env show " + name + ", then: vivarium env approve " + name + ", or: vivarium env reject " + name
	case environment.BecausePaused:
		return "let it go on: vivarium env resume " + name + " (a group with --group)"
	case environment.BecauseOffered:
		return "a runner takes it by itself; who is there: vivarium runner list"
	case environment.BecauseAuthority:
		return "how both sides stand: vivarium cluster status"
	case environment.BecauseTakeover:
		return "it begins by itself"
	case environment.BecauseUncertain:
		return "what is to be looked at: vivarium cluster uncertain; say what you have found: vivarium env settle " + name + " STEP done|again"
	case environment.BecauseCancelled:
		return "take it up again: vivarium env retry " + name + ", or: vivarium env destroy " + name
	default:
		return ""
	}
}
