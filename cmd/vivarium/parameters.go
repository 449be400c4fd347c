package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// parameters puts together what files and then --param give; what comes later wins.
func parameters(files, assignments []string) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := parameterFile(file, text, all); err != nil {
			return nil, err
		}
	}
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if name = strings.TrimSpace(name); !ok || !hclsyntax.ValidIdentifier(name) {
			return nil, usage("--param %q: write it as name=value", a)
		}
		all[name] = literal(value)
	}
	return all, nil
}

// literal takes JSON as JSON and anything else as text; the server converts to the parameter's type as Terraform does.
// A number that JSON would write in another way stays text, so that version=1.10 does not become 1.1.
func literal(text string) json.RawMessage {
	if trimmed := strings.TrimSpace(text); json.Valid([]byte(trimmed)) && !rewritten(trimmed) {
		return json.RawMessage(trimmed)
	}
	quoted, _ := json.Marshal(text)
	return quoted
}

func rewritten(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && strconv.FormatFloat(f, 'f', -1, 64) != text
}

func parameterFile(name string, text []byte, into map[string]json.RawMessage) error {
	if strings.HasSuffix(name, ".json") {
		return jsonParameters(name, text, into)
	}
	file, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		return parameterFault(name, text, diags)
	}
	attributes, diags := file.Body.JustAttributes()
	for key, a := range attributes {
		v, more := a.Expr.Value(nil)
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		data, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			return err
		}
		into[key] = data
	}
	if diags.HasErrors() {
		return parameterFault(name, text, diags)
	}
	return nil
}

func jsonParameters(name string, text []byte, into map[string]json.RawMessage) error {
	var object map[string]json.RawMessage
	err := json.Unmarshal(text, &object)
	if err == nil {
		for key, v := range object {
			into[key] = v
		}
		return nil
	}
	d := fault.Diagnostic{Severity: "error", Summary: "Invalid JSON", Detail: err.Error() + ".", File: name, Line: 1}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		d.Line = 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
	}
	return fault.New(fault.Reject, fault.InvalidParameter, "%s is not a JSON object of parameters", name).With(d)
}

func parameterFault(name string, text []byte, diags hcl.Diagnostics) error {
	lines := strings.Split(string(text), "\n")
	f := fault.New(fault.Reject, fault.InvalidParameter, "%s can't be read as parameters (name = value, a line each)", name)
	for _, d := range diags {
		out := fault.Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if s := d.Subject; s != nil {
			out.File, out.Line, out.Column = s.Filename, s.Start.Line, s.Start.Column
			if s.Start.Line <= len(lines) {
				out.Snippet = lines[s.Start.Line-1]
			}
		}
		f = f.With(out)
	}
	return f
}
