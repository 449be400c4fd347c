package plugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// describe puts a Kind into words. What can't be said in data (functions that inspect, validate or transform) is an error.
func describe(k template.Kind) (*wire.Description, error) {
	if k.Inspect != nil {
		return nil, fmt.Errorf("the kind %q inspects what its block refers to, which a plugin can't", k.Name)
	}
	body, err := describeBody(k.Spec)
	if err != nil {
		return nil, fmt.Errorf("the kind %q: %w", k.Name, err)
	}
	d := &wire.Description{Name: k.Name, Body: body, Static: k.Static, TimeoutMs: k.Timeout.Milliseconds()}
	if k.Retry != nil {
		d.Retry = &wire.Retry{
			Attempts: int32(k.Retry.Attempts), BackoffMs: k.Retry.Backoff.Milliseconds(), MaxBackoffMs: k.Retry.MaxBackoff.Milliseconds(),
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.Outputs)) {
		o := k.Outputs[name]
		d.Outputs = append(d.Outputs, &wire.Output{Name: name, Type: typeText(o.Type), Sensitive: o.Sensitive, Description: o.Description})
	}
	return d, nil
}

func describeBody(spec hcldec.ObjectSpec) (*wire.Body, error) {
	body := &wire.Body{}
	for _, name := range slices.Sorted(maps.Keys(spec)) {
		if err := describeMember(body, name, spec[name]); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	return body, nil
}

func describeMember(body *wire.Body, name string, spec hcldec.Spec) error {
	inner, sensitive := template.UnwrapSensitive(spec)
	if sensitive {
		spec = inner
	}
	attribute, is := spec.(*hcldec.AttrSpec)
	switch {
	case is && attribute.Name == name:
		body.Attributes = append(body.Attributes, &wire.Attribute{
			Name: name, Type: typeText(attribute.Type), Required: attribute.Required, Sensitive: sensitive,
		})
		return nil
	case sensitive:
		return fmt.Errorf("only an attribute of that name can be sensitive")
	}
	b := &wire.Block{Name: name}
	var nested hcldec.Spec
	switch s := spec.(type) {
	case *hcldec.BlockSpec:
		name, nested, b.Required = s.TypeName, s.Nested, s.Required
	case *hcldec.BlockListSpec:
		name, nested, b.Required, b.Nesting = s.TypeName, s.Nested, s.MinItems > 0, wire.Block_LIST
	case *hcldec.BlockMapSpec:
		name, nested, b.Nesting = s.TypeName, s.Nested, wire.Block_MAP
	default:
		return fmt.Errorf("a plugin's block has attributes (hcldec.AttrSpec, template.SensitiveSpec) and blocks (BlockSpec, BlockListSpec, BlockMapSpec), no %T", spec)
	}
	fields, err := object(nested)
	if err != nil || name != b.Name {
		return fmt.Errorf("a block has the name that it has in the template, and is an hcldec.ObjectSpec")
	}
	b.Body, err = describeBody(fields)
	body.Blocks = append(body.Blocks, b)
	return err
}

func object(spec hcldec.Spec) (hcldec.ObjectSpec, error) {
	switch s := spec.(type) {
	case hcldec.ObjectSpec:
		return s, nil
	case *hcldec.ObjectSpec:
		return *s, nil
	}
	return nil, fmt.Errorf("%T is no hcldec.ObjectSpec", spec)
}

// typeText is a type as the protocol has it.
func typeText(t cty.Type) string {
	text, err := json.Marshal(t)
	if err != nil {
		return `"dynamic"` // only capsules have no JSON form, and no template can write one
	}
	return string(text)
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
