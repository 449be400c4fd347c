package environment

func (n *Step) uses(of Consumption) bool {
	for _, one := range n.needs() {
		if one.Compare(of) == 0 {
			return true
		}
	}
	return false
}

// awaited says what a step waits for of other environments, nil for nothing.
func (s *State) awaited(n *Step) *Reason {
	for _, of := range n.needs() {
		if h, held := s.Operation.Holds[of.Key()]; held {
			return h.Reason
		}
	}
	return nil
}

// consumed remembers where the outputs of other environments come from that the node was given.
func (n *Step) consumed(list []Consumption) {
	if list != nil {
		n.Consumes = list
	}
}

// keepSources has a node remember where what it uses comes from, when the graph is drawn anew.
func (n *Node) keepSources(known []Consumption) {
	for i, of := range n.Consumes {
		for _, k := range known {
			if of.Compare(k) == 0 {
				n.Consumes[i].Resources = k.Resources
			}
		}
	}
}
