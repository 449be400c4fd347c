package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// outcome tells a person how an environment stands once nothing is under way.
func (c *cli) outcome(w io.Writer, r environment.Record) error {
	s := c.style(w)
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s is %s.\n", s.bold(clean(r.Name)), s.status(r.Status))
	entrypoints := [][2]string{}
	for _, e := range r.Entrypoints {
		entrypoints = append(entrypoints, [2]string{e.Name, e.URL})
	}
	writeFacts(&b, "Entrypoints", entrypoints)
	writeFacts(&b, "Outputs", valuesOf(r.Outputs))
	_, err := io.WriteString(w, b.String())
	return err
}

// writeFacts lists names and what they stand for, below a title; nothing when there is nothing to list.
func writeFacts(b *strings.Builder, title string, facts [][2]string) {
	width := 12
	for _, f := range facts {
		width = max(width, utf8.RuneCountInString(f[0]))
	}
	for i, f := range facts {
		if i == 0 {
			b.WriteString("\n" + title + "\n")
		}
		fmt.Fprintf(b, "  %-*s  %s\n", width, clean(f[0]), clean(f[1]))
	}
}

// valuesOf are the members of a JSON object, sorted by their names.
func valuesOf(object json.RawMessage) [][2]string {
	var values map[string]json.RawMessage
	if json.Unmarshal(object, &values) != nil {
		return nil // there are none yet
	}
	var list [][2]string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, [2]string{name, valueText(values[name])})
	}
	return list
}

// valueText is text without its quotes, and JSON for all else.
func valueText(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

// outcomeError is why the exit code is not 0.
func outcomeError(r environment.Record) error {
	hint := fmt.Sprintf("`vivarium env show %s` and `vivarium env logs %s` say more", r.Name, r.Name)
	if r.Error != nil {
		return fmt.Errorf("%s is %s: %s; %s", r.Name, r.Status, r.Error.Message, hint)
	}
	return fmt.Errorf("%s is %s; %s", r.Name, r.Status, hint)
}
