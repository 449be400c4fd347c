package vault

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// defaultStore is where KV version 2 is mounted unless said otherwise.
const defaultStore = "secret"

// decode reads the inputs of a kind's block.
func decode(r executor.Request, kind string, block any) error {
	if err := json.Unmarshal(r.Inputs, block); err != nil {
		return fault.New(fault.GiveUp, fault.Invalid, "the inputs of %s are not those of a %s block", r.Step, kind)
	}
	return nil
}

func invalid(r executor.Request, format string, args ...any) error {
	return fault.New(fault.GiveUp, fault.Invalid, "%s of %s", r.Mask(fmt.Sprintf(format, args...)), r.Step)
}

// cleanPath takes the slashes off the ends, and refuses what Vault would read as another path.
func cleanPath(r executor.Request, attribute, path string) (string, error) {
	path = strings.Trim(path, "/")
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return "", invalid(r, "%s = %q has an empty part, a part of dots alone or control characters: that is no path of Vault; see the block", attribute, path)
		}
	}
	return path, nil
}

// cleanPlace is cleanPath for the mount and the path of a secret.
func cleanPlace(r executor.Request, mountName, mount, pathName, path string) (p place, err error) {
	if p.mount, err = cleanPath(r, mountName, orElse(mount, defaultStore)); err != nil {
		return p, err
	}
	p.path, err = cleanPath(r, pathName, path)
	return p, err
}

// cleanName is for names that are one part of a path.
func cleanName(r executor.Request, attribute, name string) (string, error) {
	if strings.Contains(name, "/") {
		return "", invalid(r, "%s = %q has a slash, which no name in Vault has; see the block", attribute, name)
	}
	return cleanPath(r, attribute, name)
}

// outputText is a string among the outputs of the last successful apply, "" where there is none.
func outputText(r executor.Request, name string) string {
	var outputs map[string]json.RawMessage
	var text string
	if json.Unmarshal(r.Outputs, &outputs) == nil {
		_ = json.Unmarshal(outputs[name], &text)
	}
	return text
}

// placeBefore is where the last successful apply kept the secret.
func placeBefore(r executor.Request, mountName, pathName string) (place, bool) {
	p := place{mount: outputText(r, mountName), path: outputText(r, pathName)}
	return p, p.mount != "" && p.path != ""
}

// places are where something of the step can be: as the inputs say, and as the last successful apply did.
func places(r executor.Request, now place, mountName, pathName string) []place {
	if before, ok := placeBefore(r, mountName, pathName); ok && before != now {
		return []place{now, before}
	}
	return []place{now}
}

// seconds reads a duration such as "90s" or "1h30m", days ("30d"), or a number of seconds; "" is 0.
func seconds(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if days, is := strings.CutSuffix(text, "d"); is && err != nil {
		n, err = strconv.ParseInt(days, 10, 16)
		n *= int64(24 * time.Hour / time.Second)
	}
	if err != nil {
		var d time.Duration
		d, err = time.ParseDuration(text)
		n = int64(d / time.Second)
	}
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no duration such as \"90s\", \"12h\" or \"30d\"", text)
	}
	return n, nil
}

func text(name string, required bool) hcldec.Spec {
	return &hcldec.AttrSpec{Name: name, Type: cty.String, Required: required}
}

func texts(name string) hcldec.Spec {
	return &hcldec.AttrSpec{Name: name, Type: cty.List(cty.String)}
}

// duration is an attribute that seconds can read; a mistake is found when the template is compiled.
func duration(name string) hcldec.Spec {
	return &hcldec.ValidateSpec{Wrapped: text(name, false), Func: func(v cty.Value) hcl.Diagnostics {
		v, _ = v.Unmark()
		if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
			return nil
		}
		if _, err := seconds(v.AsString()); err != nil {
			return mistake("Not a duration", fmt.Sprintf("%s: %v.", name, err))
		}
		return nil
	}}
}

func mistake(summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail}}
}

// output makes one of a value; it is sensitive when it has to be, and when it holds a secret of the request.
func output(r executor.Request, value any, sensitive bool) executor.Value {
	text, err := json.Marshal(value)
	if err != nil {
		return executor.Value{Value: json.RawMessage("null"), Sensitive: true} // only channels and functions can't be marshalled
	}
	return executor.Value{Value: text, Sensitive: sensitive || r.Holds(text)}
}
