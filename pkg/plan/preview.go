package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Change is what a plan says of a node.
type Change string

const (
	// WillChange: what is to be is known, and differs from what is.
	WillChange Change = "change"
	// NoChange: what is to be is known, and is there.
	NoChange Change = "no-change"
	// Unknown: some inputs are known only after other nodes were applied.
	Unknown Change = "unknown"
)

// Step is what a plan says of one node.
type Step struct {
	Address   string   `json:"address"`
	Change    Change   `json:"change" jsonschema:"enum=change,enum=no-change,enum=unknown"`
	DependsOn []string `json:"depends_on,omitempty"`
	// Inputs as far as they are known: a secret shows as "(sensitive)", what is unknown as "(known after ...)".
	Inputs json.RawMessage `json:"inputs"`
	// KnownAfter gives, for the path of every unknown input, the nodes that it waits for, sorted.
	KnownAfter map[string][]string `json:"known_after,omitempty"`
}

// Preview is the plan of an environment of which nothing exists yet: every node whose inputs are known will change,
// and the others are unknown until those that they wait for were applied. The order is that of Nodes.
func (p *Plan) Preview() []Step {
	steps := make([]Step, 0, len(p.order))
	for place, inst := range p.order {
		if inst.group.block.Type != environment.StatusNode { // of those nothing changes
			steps = append(steps, p.preview(inst, p.nodes[place].DependsOn))
		}
	}
	return steps
}

func (p *Plan) preview(inst *instance, dependsOn []string) Step {
	b := inst.group.block
	e := &evaluation{scope: inst.group.scope, inst: inst}
	v, diags := b.Decode(e.context(b.Needs))
	step := Step{Address: inst.address, Change: WillChange, DependsOn: dependsOn, Inputs: json.RawMessage("{}")}
	if diags.HasErrors() {
		step.Change = Unknown // Resolve has looked at all of them, so this does not come to pass
		return step
	}
	v = withoutNulls(v)
	pending := unknowns{}
	pending.collect("", v, nil)
	if len(pending) > 0 {
		step.Change, step.KnownAfter = Unknown, pending
	}
	shown := lang.Encoder{
		Secret: func(json.RawMessage) json.RawMessage { return json.RawMessage(`"` + secret.Shown + `"`) },
		Unknown: func(v cty.Value) json.RawMessage {
			text := "(known after apply)"
			if after := lang.PendingOn(v); len(after) > 0 {
				text = "(known after " + strings.Join(after, ", ") + ")"
			}
			data, _ := json.Marshal(text) // a string is always JSON
			return data
		},
	}
	if data, err := shown.Encode(v); err == nil {
		step.Inputs = data
	}
	return step
}

// unknowns maps the path of each unknown value to the nodes that it waits for.
type unknowns map[string][]string

// collect goes through a value; inherited are the nodes that an enclosing value waits for.
func (u unknowns) collect(path string, v cty.Value, inherited []string) {
	plain, marks := v.Unmark()
	after := slices.Clone(inherited)
	for m := range marks {
		if address, ok := m.(lang.Pending); ok {
			after = append(after, string(address))
		}
	}
	if !plain.IsKnown() {
		slices.Sort(after)
		u[path] = slices.Compact(after)
		return
	}
	if plain.IsNull() || !plain.CanIterateElements() {
		return
	}
	if t := plain.Type(); t.IsObjectType() || t.IsMapType() {
		members := plain.AsValueMap()
		for _, name := range slices.Sorted(maps.Keys(members)) {
			u.collect(strings.TrimPrefix(path+"."+name, "."), members[name], after)
		}
		return
	}
	for i, member := range plain.AsValueSlice() {
		u.collect(path+"["+strconv.Itoa(i)+"]", member, after)
	}
}
