package environment

import (
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// run begins an operation of one action.
func (c *decision) run(in RunInput) *fault.Error {
	switch {
	case !c.s.Exists():
		return c.notThere()
	case c.s.Busy():
		return c.inTheWay()
	case c.s.Status == DestroyFailed:
		return fault.New(fault.Reject, fault.Conflict, "environment %q is %s: what an action needs may be gone; retry it", c.s.Name, c.s.Status)
	}
	n, err := c.action(in.Action)
	if err != nil {
		return err
	}
	if n.Down {
		return fault.New(fault.Reject, fault.Conflict, "%s is down with its group: update environment %q first, which makes that again", n.Address, c.s.Name)
	}
	if !n.RunsOn(OnDemand) {
		return fault.New(fault.Reject, fault.Conflict, "%s does not run on demand: its run_on has no \"demand\"", n.Address)
	}
	c.emit(StatusRunning{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Action: n.Address, Epoch: c.Epoch})
	return nil
}

// action finds an action by its address, or by its name when that says which.
func (c *decision) action(wanted string) (*Step, *fault.Error) {
	var named, demanded []string
	var found *Step
	for _, n := range c.s.Nodes {
		if n.Type != ActionNode || n.Doomed { // of what the templates do not have any more, nobody could say what it is given
			continue
		}
		if n.Address == wanted {
			return n, nil
		}
		if n.Name == wanted {
			named, found = append(named, n.Address), n
		}
		if n.RunsOn(OnDemand) {
			demanded = append(demanded, n.Address)
		}
	}
	switch {
	case len(named) == 1:
		return found, nil
	case len(named) > 1:
		return nil, fault.New(fault.Reject, fault.Invalid, "environment %q has several actions %q; say which: %s", c.s.Name, wanted, some(named))
	}
	return nil, fault.New(fault.Reject, fault.NotFound, "environment %q has no action %q; those that run on demand are: %s", c.s.Name, wanted, some(demanded))
}

// some lists the first of many names.
func some(names []string) string {
	const most = 10
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		names = append(slices.Clone(names[:most]), "...")
	}
	return strings.Join(names, ", ")
}

// runStatus makes the environment what it was. What the action put out may be part of the environment's outputs, which can't be worked
// out while groups are down.
func (c *decision) runStatus(f *Finished) Body {
	o := c.s.Operation
	if err := c.unfinished(f); err == nil && o.Before == Deployed && !c.s.partly() {
		deployed := c.createStatus(f)
		if _, failed := deployed.(StatusFailed); !failed {
			return deployed
		}
	}
	return c.asBefore()
}

// asBefore is what the environment was before an operation that leaves it so.
func (c *decision) asBefore() Body {
	o := c.s.Operation
	if o.Before == Deployed {
		return StatusDeployed{Operation: o.ID, Outputs: c.s.Outputs, Entrypoints: c.s.Entrypoints}
	}
	return StatusFailed{Operation: o.ID, Error: c.s.Error}
}
