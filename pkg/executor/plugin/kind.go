package plugin

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// kindOf is the inverse of describe.
func kindOf(d *wire.Description) (template.Kind, error) {
	if !hclsyntax.ValidIdentifier(d.GetName()) {
		return template.Kind{}, fmt.Errorf("the name of its kind, %q, is no identifier", d.GetName())
	}
	spec, err := specOf(d.GetBody())
	if err != nil {
		return template.Kind{}, err
	}
	k := template.Kind{
		Name: d.GetName(), Spec: spec, Static: d.GetStatic(), Timeout: milliseconds(d.GetTimeoutMs()), Outputs: map[string]template.Output{},
	}
	if r := d.GetRetry(); r != nil {
		k.Retry = &environment.RetryPolicy{
			Attempts: int(r.GetAttempts()), Backoff: milliseconds(r.GetBackoffMs()), MaxBackoff: milliseconds(r.GetMaxBackoffMs()),
		}
	}
	for _, name := range k.Static {
		if _, known := spec[name]; !known {
			return k, fmt.Errorf("its static attribute %q is none of the block's", name)
		}
	}
	for _, o := range d.GetOutputs() {
		t, err := typeOf(o.GetType())
		if err != nil {
			return k, fmt.Errorf("its output %q: %w", o.GetName(), err)
		}
		k.Outputs[o.GetName()] = template.Output{Type: t, Sensitive: o.GetSensitive(), Description: o.GetDescription()}
	}
	return k, nil
}

func specOf(body *wire.Body) (hcldec.ObjectSpec, error) {
	spec := hcldec.ObjectSpec{}
	add := func(name string, s hcldec.Spec) error {
		if _, twice := spec[name]; twice || !hclsyntax.ValidIdentifier(name) {
			return fmt.Errorf("%q is there twice, or is no identifier", name)
		}
		spec[name] = s
		return nil
	}
	for _, a := range body.GetAttributes() {
		t, err := typeOf(a.GetType())
		if err != nil {
			return nil, fmt.Errorf("its attribute %q: %w", a.GetName(), err)
		}
		var s hcldec.Spec = &hcldec.AttrSpec{Name: a.GetName(), Type: t, Required: a.GetRequired()}
		if a.GetSensitive() {
			s = template.SensitiveSpec(s)
		}
		if err := add(a.GetName(), s); err != nil {
			return nil, err
		}
	}
	for _, b := range body.GetBlocks() {
		s, err := blockOf(b)
		if err != nil {
			return nil, err
		}
		if err := add(b.GetName(), s); err != nil {
			return nil, err
		}
	}
	return spec, nil
}

func blockOf(b *wire.Block) (hcldec.Spec, error) {
	nested, err := specOf(b.GetBody())
	if err != nil {
		return nil, fmt.Errorf("its block %q: %w", b.GetName(), err)
	}
	switch b.GetNesting() {
	case wire.Block_SINGLE:
		return &hcldec.BlockSpec{TypeName: b.GetName(), Nested: nested, Required: b.GetRequired()}, nil
	case wire.Block_LIST:
		least := 0
		if b.GetRequired() {
			least = 1
		}
		return &hcldec.BlockListSpec{TypeName: b.GetName(), Nested: nested, MinItems: least}, nil
	case wire.Block_MAP:
		return &hcldec.BlockMapSpec{TypeName: b.GetName(), LabelNames: []string{"name"}, Nested: nested}, nil
	}
	return nil, fmt.Errorf("its block %q has a nesting that is not known", b.GetName())
}

func typeOf(text string) (t cty.Type, err error) {
	if !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, `[`) {
		text = `"` + text + `"` // string is as good as "string"
	}
	if err = json.Unmarshal([]byte(text), &t); err != nil {
		err = fmt.Errorf("%s is no type", text)
	}
	return t, err
}
