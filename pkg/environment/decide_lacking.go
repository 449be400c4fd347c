package environment

import (
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// templatesKey is the Operation.Holds of what can't be evaluated.
const templatesKey = "templates"

// worksOut tells whether what a step is given, or its endpoint, is worked out when it begins. What is destroyed or looked at goes by
// what is recorded, and so does an action that goes.
func (n *Step) worksOut() bool {
	return (n.Verb == event.Apply || n.Verb == event.Validate) && n.Parting == nil
}

// evaluated tells whether the templates are needed for that.
func (n *Step) evaluated() bool { return n.worksOut() && !n.passes() }

func (c *decision) lackingKinds() *Reason {
	if c.Lacks == nil {
		return nil
	}
	return c.Lacks()
}

// lacking tells whether a step has to wait until the server has all kinds of its templates, and says so once for all that do. It is
// found out once for all that are looked at with the same held. A destroy by force does not wait: they may never come.
func (c *decision) lacking(n *Step, held map[string]bool) bool {
	o := c.s.Operation
	if !n.evaluated() || o.Force {
		return false
	}
	if lacks, asked := held[templatesKey]; asked {
		return lacks
	}
	reason := c.lackingKinds()
	if held[templatesKey] = reason != nil; reason == nil {
		return false
	}
	if known, ok := o.Holds[templatesKey]; !ok || known.Reason.Detail != reason.Detail {
		c.emit(Held{Operation: o.ID, Templates: true, Reason: reason})
	}
	return true
}

// noRunner says what to do where nobody can take a step.
func (c *decision) noRunner(pool, executor string) string {
	if others := c.Pool(pool, "").Runners; others > 0 {
		return fmt.Sprintf("none of the %d runners of pool %q has the executor %q: configure it there, or start one that has it with `vivarium runner --pool %s`", others, pool, executor, pool)
	}
	return fmt.Sprintf("no runner of pool %q with the executor %q is there: start one with `vivarium runner --pool %s`", pool, executor, pool)
}
