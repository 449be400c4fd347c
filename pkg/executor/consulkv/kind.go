package consulkv

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Name is the kind's name.
const Name = "consul_kv"

// The ways to write a value that is no string: formatString leaves strings as they are, formatJSON quotes them too.
const (
	formatString = "string"
	formatJSON   = "json"
)

// block is the resource's block as a request brings it.
type block struct {
	Prefix     string          `json:"prefix"`
	Keys       json.RawMessage `json:"keys"`
	Format     string          `json:"format"`
	Datacenter string          `json:"datacenter"`
}

// Kind is a block with a prefix and the values of the keys below it.
func (*Executor) Kind() template.Kind {
	return template.Kind{
		Name: Name, Adopts: true,
		// Cheap to repeat.
		Idempotent: true,
		Retry:      &environment.RetryPolicy{Attempts: 5, Backoff: 500 * time.Millisecond, MaxBackoff: 30 * time.Second}, Timeout: 5 * time.Minute,
		Spec: hcldec.ObjectSpec{
			"prefix":     &hcldec.AttrSpec{Name: "prefix", Type: cty.String, Required: true},
			"keys":       &hcldec.AttrSpec{Name: "keys", Type: cty.DynamicPseudoType, Required: true},
			"format":     &hcldec.AttrSpec{Name: "format", Type: cty.String},
			"datacenter": &hcldec.AttrSpec{Name: "datacenter", Type: cty.String},
		},
		Outputs: map[string]template.Output{
			"prefix":       {Type: cty.String, Description: "The prefix of all keys, without a slash at its end."},
			"keys":         {Type: cty.List(cty.String), Description: "The keys that were written, in full and in order."},
			"datacenter":   {Type: cty.String, Description: "The datacentre that the block names, or nothing."},
			"modify_index": {Type: cty.Number, Description: "Consul's index of the latest change to one of the keys."},
		},
	}
}

// decode reads the inputs; what it lets through may still not be fit to be applied, see valid.
func decode(r executor.Request) (block, error) {
	var b block
	if len(r.Inputs) == 0 {
		return b, nil // there is no place for its keys; those of the last apply can still be removed
	}
	if err := json.Unmarshal(r.Inputs, &b); err != nil {
		return b, fault.New(fault.GiveUp, fault.Invalid,
			"the inputs of %s are not those of a %s block: prefix, format and datacenter are strings", r.Step, Name)
	}
	return b, nil
}

// keys are the values as they came, by the names below the prefix.
func (b block) keys() (map[string]json.RawMessage, error) {
	var keys map[string]json.RawMessage
	err := json.Unmarshal(b.Keys, &keys)
	return keys, err
}

// place is where keys lie: the prefix without a slash at its end, and the datacentre, "" for the agent's own.
type place struct{ prefix, datacenter string }

func (b block) place() place { return place{strings.TrimSuffix(b.Prefix, "/"), b.Datacenter} }

// usable tells whether keys can lie there at all.
func (p place) usable() bool { return wellFormed(p.prefix) }

// folder is what all keys below the prefix begin with.
func (p place) folder() string { return p.prefix + "/" }

// wellFormed holds names to what stays the same in a path of a URL and in the folders that Consul's pages show.
func wellFormed(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar })
}

const wellFormedRule = "neither begins nor ends with a slash, and has no empty part, no \".\" or \"..\" between slashes and no control character"

// valid gives the keys of a block that can be applied, or tells what is wrong with it.
func (b block) valid(r executor.Request) (map[string]json.RawMessage, error) {
	if p := b.place(); !p.usable() {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the prefix %q of %s is no good: a prefix %s", r.Mask(b.Prefix), r.Step, wellFormedRule)
	}
	if b.Format != "" && b.Format != formatString && b.Format != formatJSON {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the format %q of %s is not known: it is %q (strings as they are, all else as JSON) or %q",
			r.Mask(b.Format), r.Step, formatString, formatJSON)
	}
	keys, err := b.keys()
	if err != nil {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "keys of %s has to be an object or a map: values by the names of their keys", r.Step)
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if !wellFormed(name) {
			return nil, fault.New(fault.GiveUp, fault.Invalid, "the key %q of %s is no good: a key %s", r.Mask(name), r.Step, wellFormedRule)
		}
	}
	return keys, nil
}
