package template

import (
	"regexp"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
)

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// ValidName tells whether a template, parameter, resource or anything else in a template may be called so.
func ValidName(name string) bool { return namePattern.MatchString(name) }

const nameRule = "A name begins with a lower case letter and has at most 63 lower case letters, digits, \"_\" and \"-\"."

// suggestion is " Did you mean X?" for the known name that is nearest to the given one, or "" when none is near.
func suggestion(given string, known []string) string {
	sorted := append([]string(nil), known...)
	sort.Strings(sorted)
	best, distance := "", 3
	for _, k := range sorted {
		if d := levenshtein.Distance(given, k, nil); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return " Did you mean \"" + best + "\"?"
}

// listing is what there is instead of the name that was not found.
func listing(what string, known []string) string {
	if len(known) == 0 {
		return " There are no " + what + "."
	}
	sorted := append([]string(nil), known...)
	sort.Strings(sorted)
	const most = 20
	if len(sorted) > most {
		sorted = append(sorted[:most:most], "...")
	}
	return " There are: " + strings.Join(sorted, ", ") + "."
}

func errorAt(rng hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}
}

func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
