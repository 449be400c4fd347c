package environment

import (
	"encoding/json"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// partly tells whether groups of the environment are down.
func (s *State) partly() bool {
	return slices.ContainsFunc(s.Nodes, func(n *Step) bool { return n.Down })
}

// downGroups are the groups of which something is down, sorted.
func (s *State) downGroups() (names []string) {
	for _, n := range s.real() {
		if n.Down && n.Group != "" {
			names = append(names, n.Group)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// standersOf are the places of what is of these groups, or stands on something that is.
func (s *State) standersOf(groups []string) map[int]bool {
	found := map[int]bool{}
	var stack []int
	for i, n := range s.Nodes {
		if n.Group != "" && slices.Contains(groups, n.Group) {
			found[i], stack = true, append(stack, i)
		}
	}
	for len(stack) > 0 {
		n := s.Nodes[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		for _, d := range slices.Concat(n.standers, n.dependents) {
			if !found[d] {
				found[d], stack = true, append(stack, d)
			}
		}
	}
	return found
}

// destroyGroups begins a destroy of some groups. What stands on them goes with them, as far as that was asked for.
func (c *decision) destroyGroups(in DestroyInput) *fault.Error {
	if err := c.divisible(in.Groups); err != nil {
		return err
	}
	chosen := c.s.standersOf(in.Groups)
	var others, retained, steps []string
	for i, n := range c.s.Nodes {
		if !chosen[i] {
			continue
		}
		steps = append(steps, n.Address)
		if n.Exists && n.Type == ResourceNode && !slices.Contains(in.Groups, n.Group) {
			others = append(others, n.Address)
		}
		if n.Exists && n.Retain {
			retained = append(retained, n.Address)
		}
	}
	switch {
	case others != nil && !in.Cascade:
		return fault.New(fault.Reject, fault.Conflict, "%s can't be destroyed alone: %s stands on it; name its group as well, or say cascade", some(in.Groups), some(others))
	case retained != nil:
		return fault.New(fault.Reject, fault.Protected, "%s would be left where it is (retain), and could not be told from what is made again: "+
			"take that out of its template and update environment %q before", some(retained), c.s.Name)
	}
	if err := c.undestroyablePart(steps, in.DespiteConsumers); err != nil {
		return err
	}
	d := in.Destroy
	if taken, err := c.orderedPart(in, steps, Order{Destroy: &d}); taken {
		return err
	}
	c.begin(in, steps)
	return nil
}

// undestroyablePart says why these nodes can't be destroyed alone, nil when they can.
func (c *decision) undestroyablePart(steps []string, despiteConsumers bool) *fault.Error {
	goes := set(steps)
	if err := c.s.protected(func(n *Step) bool { return goes[n.Address] }); err != nil || despiteConsumers {
		return err
	}
	return used("destroyed in part", c.s.Name, c.usersOf(goes))
}

// orderedPart makes a plan of a destroy of groups first, where it may have to be approved.
func (c *decision) orderedPart(in DestroyInput, steps []string, order Order) (bool, *fault.Error) {
	if in.Executes != nil {
		return false, nil
	}
	return c.ordered(ForDestroy, PlanInput{CommandMeta: in.CommandMeta, Proposal: event.Proposal{Destroy: true}, part: steps}, order)
}

func (c *decision) begin(in DestroyInput, steps []string) {
	c.emit(StatusDestroying{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Steps: steps, Groups: in.Groups,
		Plan: in.Executes.id(), Resumes: c.s.resumedBy(in, steps), Force: in.Force, FailFast: in.FailFast, Parallelism: c.parallelism(c.s.Operation.Parallelism), Epoch: c.Epoch})
}

// divisible says why groups of the environment can't be destroyed alone as it stands, nil when they can.
func (c *decision) divisible(groups []string) *fault.Error {
	for _, g := range groups {
		if !slices.ContainsFunc(c.s.Nodes, func(n *Step) bool { return n.Group == g }) {
			return fault.New(fault.Reject, fault.NotFound, "environment %q has nothing in a group %q", c.s.Name, g)
		}
	}
	if c.s.Status != Deployed && (c.s.Status != Failed || !c.s.partly()) {
		return fault.New(fault.Reject, fault.Conflict, "environment %q is %s: groups are destroyed alone in one that is deployed; retry it, or destroy all of it", c.s.Name, c.s.Status)
	}
	return nil
}

// usersOf are the uses of outputs that come from one of these nodes.
func (c *decision) usersOf(addresses map[string]bool) (list []Consumer) {
	for _, u := range c.users() {
		if slices.ContainsFunc(c.s.Sources[u.Output], func(a string) bool { return addresses[a] }) {
			list = append(list, u)
		}
	}
	return list
}

// redestroyGroups goes on with a destroy of groups that has failed.
func (c *decision) redestroyGroups(in RetryInput) *fault.Error {
	steps := []string{}
	for _, n := range c.s.Nodes {
		if n.Down {
			steps = append(steps, n.Address)
		}
	}
	d := DestroyInput{CommandMeta: in.CommandMeta, Destroy: event.Destroy{FailFast: in.FailFast, Groups: c.s.downGroups(), Force: c.s.undone().forced()}, Executes: in.executes}
	if taken, err := c.orderedPart(d, steps, Order{Retry: &in.Retry}); taken {
		return err
	}
	c.begin(d, steps)
	return nil
}

// remainders are what is there still of what is down: its destroy has failed.
func (s *State) remainders() (list []string) {
	for _, n := range s.Nodes {
		if n.Down && n.Exists && n.Type == ResourceNode {
			list = append(list, n.Address)
		}
	}
	return list
}

// partStatus is the end of a destroy of groups: the rest is deployed, without what came from them.
func (c *decision) partStatus(f *Finished) Body {
	if err := c.unfinished(f); err != nil {
		return StatusFailed{Operation: f.Operation, Error: err}
	}
	if left := c.s.remainders(); left != nil {
		f.Status, f.Error = OperationFailed, fault.New(fault.GiveUp, fault.Conflict, "what was to be destroyed is, but not what an earlier destroy has left: %s; retry that", some(left))
		return StatusFailed{Operation: f.Operation, Error: f.Error}
	}
	b := StatusDeployed{Operation: f.Operation, Outputs: c.s.Outputs}
	var all map[string]json.RawMessage
	if json.Unmarshal(c.s.Outputs, &all) == nil {
		for name := range all {
			if slices.ContainsFunc(c.s.Sources[name], func(a string) bool { n := c.s.Step(a); return n != nil && n.Down }) {
				delete(all, name)
			}
		}
		b.Outputs, _ = json.Marshal(all) // what was read as JSON can be written
	}
	if entrypoints, err := c.Resolver.Entrypoints(c.s.OutputsOf); err == nil {
		b.Entrypoints = entrypoints
	}
	return b
}

// destroyingPart makes steps of what is to be down; all else stays what it is.
func (s *State) destroyingPart(steps []string) {
	chosen, farewells := set(steps), s.farewells()
	for i, n := range s.Nodes {
		if !chosen[n.Address] {
			s.leaveOut(i)
			continue
		}
		n.Down = true
		s.takeDown(i, farewells[i])
	}
	s.release()
}

// bringBack wants again what was down. Actions that are not for the making of the environment are what they were before it was made.
func (s *State) bringBack() {
	for i, n := range s.Nodes {
		if !n.Down {
			continue
		}
		n.Down = false
		if n.Type == ActionNode && !n.made() {
			n.Status = Idle
			s.touch(i)
		}
	}
}
