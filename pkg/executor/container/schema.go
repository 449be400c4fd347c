package container

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

func required(name string, t cty.Type) hcldec.Spec {
	return &hcldec.AttrSpec{Name: name, Type: t, Required: true}
}

func optional(name string, t cty.Type) hcldec.Spec { return &hcldec.AttrSpec{Name: name, Type: t} }

func block(name string, nested hcldec.ObjectSpec) hcldec.Spec {
	return &hcldec.BlockSpec{TypeName: name, Nested: nested}
}

func blocks(name string, nested hcldec.ObjectSpec) hcldec.Spec {
	return &hcldec.BlockListSpec{TypeName: name, Nested: nested}
}

// checked finds a mistake in a value that is known already when the template is compiled, and so has its line; what is
// known only later is checked by Decode. check returns what is wrong, "" for nothing, and gets no null.
func checked(spec hcldec.Spec, check func(cty.Value) string) hcldec.Spec {
	return &hcldec.ValidateSpec{Wrapped: spec, Func: func(v cty.Value) hcl.Diagnostics {
		v, marks := v.Unmark()
		if v.IsNull() || !v.IsKnown() {
			return nil
		}
		wrong := check(v)
		switch {
		case wrong == "":
			return nil
		case len(marks) > 0:
			wrong = "The value, which is sensitive, is not one that this attribute takes."
		}
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid value", Detail: wrong}}
	}}
}

func notEmpty(v cty.Value) string {
	if strings.TrimSpace(v.AsString()) == "" {
		return "It may not be empty."
	}
	return ""
}

func absolute(v cty.Value) string {
	if !isAbsolute(v.AsString()) {
		return fmt.Sprintf("%q has to be an absolute path, such as /data.", v.AsString())
	}
	return ""
}

func isAbsolute(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsFunc(path, isControl) && !slices.Contains(strings.Split(path, "/"), "..")
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

func oneOf(words ...string) func(cty.Value) string {
	return func(v cty.Value) string {
		if !slices.Contains(words, v.AsString()) {
			return fmt.Sprintf("%q is not one of %s.", v.AsString(), strings.Join(words, ", "))
		}
		return ""
	}
}

func whole(least, most int64) func(cty.Value) string {
	return func(v cty.Value) string {
		n, accuracy := v.AsBigFloat().Int64()
		if accuracy != big.Exact || n < least || n > most {
			return fmt.Sprintf("It has to be a whole number from %d to %d.", least, most)
		}
		return ""
	}
}

func positive(v cty.Value) string {
	if v.AsBigFloat().Sign() <= 0 {
		return "It has to be more than 0."
	}
	return ""
}

func duration(v cty.Value) string {
	if d, err := time.ParseDuration(v.AsString()); err != nil || d <= 0 {
		return fmt.Sprintf("%q is no duration such as \"90s\" or \"2m\".", v.AsString())
	}
	return ""
}

func size(v cty.Value) string {
	if _, err := ParseSize(v.AsString()); err != nil {
		return err.Error() + "."
	}
	return ""
}
