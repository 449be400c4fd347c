package environment

import (
	"cmp"
	"regexp"
	"strings"
)

// An environment's name becomes part of routing keys and host names: a DNS label (RFC 1123, section 2.1).
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidName tells whether an environment may be called so.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// Consumption is the use of another environment's output.
type Consumption struct {
	Environment string `json:"environment"`
	Output      string `json:"output"`
	// Resources are the addresses in that environment which the output comes from.
	Resources []string `json:"resources,omitempty"`
}

// Compare orders by environment, then by output.
func (c Consumption) Compare(d Consumption) int {
	return cmp.Or(strings.Compare(c.Environment, d.Environment), strings.Compare(c.Output, d.Output))
}

// Targets are the addresses that its edges lead to: those of the resources, or the empty one, which is the environment's.
func (c Consumption) Targets() []string {
	if len(c.Resources) == 0 {
		return []string{""}
	}
	return c.Resources
}

const (
	keyStart = "environment["
	keyEnd   = "].outputs."
)

// Key is under what the resolver asks for the output, where it asks for those of nodes too: no address begins so.
func (c Consumption) Key() string { return keyStart + c.Environment + keyEnd + c.Output }

// consumption reads a Key.
func consumption(key string) (c Consumption, is bool) {
	rest, is := strings.CutPrefix(key, keyStart)
	if is {
		c.Environment, c.Output, is = strings.Cut(rest, keyEnd)
	}
	return c, is
}

// Consumer is a node of another environment that uses an output of one.
type Consumer struct {
	Environment string `json:"environment"`
	Address     string `json:"address"`
	Output      string `json:"output"`
}

// Compare orders by environment, address and output.
func (u Consumer) Compare(v Consumer) int {
	return cmp.Or(strings.Compare(u.Environment, v.Environment), strings.Compare(u.Address, v.Address), strings.Compare(u.Output, v.Output))
}

// UsesOf are the nodes of a living environment that use outputs of another one.
func (s *State) UsesOf(environment string) (list []Consumer) {
	if !s.Exists() {
		return nil
	}
	for _, n := range s.real() {
		for _, of := range n.Consumes {
			if of.Environment == environment {
				list = append(list, Consumer{s.Name, n.Address, of.Output})
			}
		}
	}
	return list
}

// ServerExecutor carries out what the server does itself: outputs and entrypoints of an environment that use other
// environments are nodes of type status with this executor. They wait for those, and then there is nothing to do.
const ServerExecutor = "server"

// passes tells whether the node only hands on what other environments put out.
func (n Node) passes() bool { return n.Type == StatusNode && n.Executor == ServerExecutor }
