package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// longestValue is where a value is cut that is shown, in runes.
const longestValue = 100

// sign is how a change is shown, as Terraform does.
func (s style) sign(change event.Change) string {
	switch change {
	case event.ChangeCreate:
		return s.green("+")
	case event.ChangeUpdate:
		return s.yellow("~")
	case event.ChangeReplace:
		return s.red("-/+")
	case event.ChangeDestroy:
		return s.red("-")
	case event.ChangeUnknown:
		return s.blue("?")
	}
	return " "
}

// writeDrift names what is gone, or other than it was left, and says in what.
func writeDrift(b *strings.Builder, s style, resources []environment.ResourceRecord) {
	for _, r := range resources {
		if !r.Drift.Off() {
			continue
		}
		what := s.yellow("is not as it was left")
		if r.Drift.Presence == event.Absent {
			what = s.red("is gone")
		}
		fmt.Fprintf(b, "  %s %s (%s)\n", clean(r.Address), what, moment(r.Drift.CheckedAt))
		writeDifferences(b, s, r.Drift.Differences, r.Drift.Omitted)
	}
}

func writeDifferences(b *strings.Builder, s style, all []event.Difference, omitted int) {
	for _, d := range all {
		fmt.Fprintf(b, "      %s %s%s\n", s.sign(d.Change), clean(d.Path), differenceText(d))
	}
	if omitted > 0 {
		fmt.Fprintf(b, "      %s\n", s.dim(fmt.Sprintf("and %d more", omitted)))
	}
}

func differenceText(d event.Difference) string {
	after := valueShown(d.After)
	if d.Change == event.ChangeUnknown || len(d.Until) > 0 {
		after = untilText(d.Until)
	}
	switch {
	case d.Before == "" && d.After == "" && len(d.Until) == 0:
		return ""
	case d.Change == event.ChangeCreate || (d.Change == event.ChangeUnknown && d.Before == ""):
		return " = " + after
	case d.Change == event.ChangeDestroy:
		return " = " + valueShown(d.Before)
	}
	return ": " + valueShown(d.Before) + " -> " + after
}

func untilText(until []string) string {
	if len(until) == 0 {
		return "(known after apply)"
	}
	return "(known after " + clean(strings.Join(until, ", ")) + ")"
}

// valueShown is one line of a value; what is more than a word is quoted.
func valueShown(v string) string {
	text := cut(v, longestValue)
	if text == "" || strings.ContainsAny(text, " \t\r\n\"") {
		return strconv.Quote(text)
	}
	return clean(text)
}
