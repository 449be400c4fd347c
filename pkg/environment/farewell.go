package environment

import "slices"

// linkFarewells has actions that run on a destroy come before that goes which they depend on now, also where an update that made them depend on
// it has not come to them. It is left out where that stands on the action still: then one of the two has to go first.
func (s *State) linkFarewells() {
	for i, n := range s.Nodes {
		if n.Stands == nil || !n.RunsOn(OnDestroy) || (n.Doomed && n.Parting == nil) {
			continue
		}
		for _, address := range n.DependsOn {
			d, there := s.index[address]
			if there && !slices.Contains(n.stands, d) && !s.goesBefore(d, i) {
				n.partsFrom = append(n.partsFrom, d)
				s.Nodes[d].parters = append(s.Nodes[d].parters, i)
			}
		}
	}
}

// goesBefore tells whether a node is destroyed before another, be it for others between them.
func (s *State) goesBefore(i, other int) bool {
	seen, stack := map[int]bool{i: true}, []int{i}
	for len(stack) > 0 {
		next := stack[len(stack)-1]
		if stack = stack[:len(stack)-1]; next == other {
			return true
		}
		for _, d := range joined(s.Nodes[next].stands, s.Nodes[next].partsFrom) {
			if !seen[d] {
				seen[d], stack = true, append(stack, d)
			}
		}
	}
	return false
}

// joined is both, mostly the first as it is.
func joined(a, b []int) []int {
	if len(b) == 0 {
		return a
	}
	return slices.Concat(a, b)
}
