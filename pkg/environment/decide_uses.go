package environment

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// users are the nodes of other environments that use outputs of this one.
func (c *decision) users() []Consumer {
	if c.Surroundings.Uses == nil {
		return nil
	}
	return c.Surroundings.Uses(c.s.Name)
}

// destroyable says who keeps the environment from being destroyed, nil when nobody does. Of one that a destroy has failed for
// there is nothing to be used any more.
func (c *decision) destroyable() *fault.Error {
	if c.s.Status == DestroyFailed {
		return nil
	}
	return used("destroyed", c.s.Name, c.users())
}

// undestroyable says why the environment can't be destroyed, nil when it can.
func (c *decision) undestroyable(despiteConsumers bool) *fault.Error {
	if err := c.s.undestroyable(); err != nil || despiteConsumers {
		return err
	}
	return c.destroyable()
}

// mustWait tells whether what would be destroyed by itself now can't be, and says so once.
func (c *decision) mustWait(since time.Time) bool {
	why := c.undestroyable(false)
	if why != nil && !c.s.heldFor(why) {
		c.emit(DestructionHeld{DestroyAt: since, Error: why})
	}
	return why != nil
}

// losses are the uses of outputs that are there, and would not be with the nodes that are resolved.
func (c *decision) losses(r Resolved) (list []Consumer) {
	var has map[string]json.RawMessage
	if c.s.Outputs == nil || json.Unmarshal(c.s.Outputs, &has) != nil {
		return nil
	}
	for _, u := range c.users() {
		_, stays := r.Sources[u.Output]
		if _, there := has[u.Output]; there && !stays {
			list = append(list, u)
		}
	}
	return list
}

// used says that something can't be done since others use what it would take from them, nil when nobody does.
func used(done, name string, by []Consumer) *fault.Error {
	if len(by) == 0 {
		return nil
	}
	return fault.New(fault.Reject, fault.Consumed, "environment %q can't be %s, since others use what it puts out: %s; see to those before, or send environment.update or environment.destroy with despite_consumers",
		name, done, usesText(by))
}

// usesText lists the first of many uses, each environment once.
func usesText(by []Consumer) string {
	const most = 10
	var parts []string
	for i := 0; i < len(by); {
		first, outputs := by[i], []string{}
		for ; i < len(by) && by[i].Environment == first.Environment; i++ {
			outputs = append(outputs, by[i].Address+" uses "+by[i].Output)
		}
		if len(parts) == most {
			return strings.Join(parts, "; ") + "; ..."
		}
		if len(outputs) > most {
			outputs = append(outputs[:most:most], "...")
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", first.Environment, strings.Join(outputs, ", ")))
	}
	return strings.Join(parts, "; ")
}

// maxUses bounds the uses that a plan names.
const maxUses = 200

// against are the uses that keep what is thought of from being carried out.
func (c *decision) against(in PlanInput) []Consumer {
	var list []Consumer
	switch {
	case in.Destroy && c.s.Status != DestroyFailed:
		list = c.users()
	case !in.Destroy && c.s.Exists():
		list = c.losses(in.Resolved)
	}
	return list[:min(len(list), maxUses):min(len(list), maxUses)]
}
