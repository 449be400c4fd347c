package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// changedText is what parameters became, on one line.
func changedText(all []environment.ParameterChange) string {
	var texts []string
	for _, c := range sortedChanges(all) {
		after := "-"
		if len(c.After) > 0 {
			after = valueShown(valueText(c.After))
		}
		texts = append(texts, c.Name+"="+after)
	}
	return strings.Join(texts, " ")
}

func sortedChanges(all []environment.ParameterChange) []environment.ParameterChange {
	return slices.SortedFunc(slices.Values(all), func(a, b environment.ParameterChange) int { return cmp.Compare(a.Name, b.Name) })
}

// writeContent shows which templates and parameters of an environment would become others; nothing where none do.
func writeContent(b *strings.Builder, s style, p environment.PlanRecord) {
	if len(p.Before) == 0 || p.Destroy {
		return
	}
	if lines := templateChanges(s, p.Before, p.Templates); len(lines) > 0 {
		b.WriteString("Templates\n" + strings.Join(lines, ""))
	}
	if len(p.Changed) > 0 {
		b.WriteString("Parameters\n")
	}
	for _, c := range sortedChanges(p.Changed) {
		fmt.Fprintf(b, "  %s %s%s\n", s.sign(parameterSign(c)), clean(c.Name), parameterText(c))
	}
}

func parameterSign(c environment.ParameterChange) event.Change {
	switch {
	case len(c.Before) == 0:
		return event.ChangeCreate
	case len(c.After) == 0:
		return event.ChangeDestroy
	}
	return event.ChangeUpdate
}

func parameterText(c environment.ParameterChange) string {
	if len(c.Before) > 0 && bytes.Equal(c.Before, c.After) {
		return ": another secret"
	}
	return differenceText(event.Difference{Change: parameterSign(c), Before: shownValue(c.Before), After: shownValue(c.After)})
}

func shownValue(v json.RawMessage) string {
	if len(v) == 0 {
		return ""
	}
	return valueText(v)
}

func templateChanges(s style, before, after []environment.Template) (lines []string) {
	named := func(list []environment.Template, name string) (environment.Template, bool) {
		i := slices.IndexFunc(list, func(t environment.Template) bool { return t.Name == name })
		if i < 0 {
			return environment.Template{}, false
		}
		return list[i], true
	}
	for _, t := range after {
		was, known := named(before, t.Name)
		switch {
		case !known:
			lines = append(lines, fmt.Sprintf("  %s %s\n", s.sign(event.ChangeCreate), clean(templateName(t))))
		case was.Hash != t.Hash:
			lines = append(lines, fmt.Sprintf("  %s %s -> %s\n", s.sign(event.ChangeUpdate), clean(templateName(was)), clean(templateName(t))))
		}
	}
	for _, t := range before {
		if _, stays := named(after, t.Name); !stays {
			lines = append(lines, fmt.Sprintf("  %s %s\n", s.sign(event.ChangeDestroy), clean(templateName(t))))
		}
	}
	return lines
}

// templateName has the hash, since a version may be edited without becoming another.
func templateName(t environment.Template) string {
	return fmt.Sprintf("%s (%s)", commitsText([]environment.Template{t}), clip(t.Hash, shortCommit))
}
