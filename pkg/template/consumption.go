package template

import (
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// wrongEnvironment looks at what is said of this environment, and of others.
func (c *compiler) wrongEnvironment(k check, ref *lang.Reference) (summary, detail string) {
	if !ref.IsConsumption() {
		return "", "" // environment.name
	}
	if k.allow == allowParameters {
		return "Reference not allowed here", fmt.Sprintf("%s can refer to parameters and to the environment's name only, not to %s.", capital(k.where), ref)
	}
	if k.allow == allowStatic {
		return "Reference not allowed here", fmt.Sprintf("%s has to be known before anything is applied, so it can't depend on %s.outputs.%s.",
			capital(k.where), ref, ref.Attr)
	}
	if ref.Key == nil {
		return wrongName(ref.Name)
	}
	for _, in := range lang.References(ref.Key) {
		if in.IsNode() || in.Root == lang.Template || in.IsConsumption() {
			return "Reference not allowed here", notPending(in)
		}
	}
	return "", ""
}

func notPending(in *lang.Reference) string {
	return fmt.Sprintf("The name of another environment has to be known before anything is applied, so it can't depend on %s.", in)
}

// wrongName says what is wrong with the name of another environment.
func wrongName(name string) (summary, detail string) {
	switch {
	case name == lang.OwnName:
		return "Invalid reference", "Another environment that is called \"name\" can't be referred to: environment.name is the name of this one."
	case !environment.ValidName(name):
		return "Invalid reference", fmt.Sprintf("%q can't be an environment's name: that has 1 to 63 lower case letters, digits and hyphens, with no hyphen at either end.", name)
	}
	return "", ""
}

// WrongName says what is wrong with the name that an expression has given to another environment, "" for nothing, or while it
// is not known. Own is that of the environment which refers to it.
func WrongName(n lang.Named, own string) string {
	switch _, detail := wrongName(n.Name); {
	case n.Sensitive:
		return "The name of another environment is sensitive, and it shows in the graph. nonsensitive() says that it is no secret."
	case !n.Known:
		return ""
	case detail != "":
		return detail
	case n.Name == own:
		return fmt.Sprintf("This environment is called %q itself, and can't use its own outputs this way; refer to what the output is made of.", n.Name)
	}
	return ""
}

// checkNames looks at the expressions that name environments, once it is known which local values are static.
func (c *compiler) checkNames() {
	for _, k := range c.checks {
		for _, ref := range k.refs {
			if !ref.IsConsumption() || ref.Key == nil || ref.Malformed != "" {
				continue
			}
			if detail := c.wrongKey(k, ref); detail != "" {
				ref.Malformed = detail
				c.fail(ref.Key.Range(), "Invalid reference", detail)
			}
		}
	}
}

func (c *compiler) wrongKey(k check, ref *lang.Reference) string {
	for _, in := range lang.References(ref.Key) {
		if l := c.t.localOf[in.Name]; in.Root == lang.Local && l != nil && !l.Static {
			detail := notPending(l.Edges[0])
			return detail[:len(detail)-1] + ", as " + in.String() + " does."
		}
	}
	return WrongName(ref.Named(compileScope{c: c, block: k.owner}.context(ref)), "")
}

// consumptions are the outputs of other environments, and of other templates, that references lead to.
func (c *compiler) consumptions(refs []*lang.Reference) []*lang.Reference {
	return slices.DeleteFunc(c.close(refs), func(ref *lang.Reference) bool { return ref.IsNode() })
}
