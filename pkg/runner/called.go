package runner

import (
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// called is an error as people understand it: an executor knows a step that was moved by its first address.
func called(err *fault.Error, task *event.Task) *fault.Error {
	if task.Address == "" {
		return err
	}
	said := *err
	said.Message = rename(err.Message, task.Step, task.Address)
	said.Diagnostics = nil
	for _, d := range err.Diagnostics {
		d.Summary, d.Detail = rename(d.Summary, task.Step, task.Address), rename(d.Detail, task.Step, task.Address)
		said.Diagnostics = append(said.Diagnostics, d)
	}
	return &said
}

// rename replaces an address in a text, but not in one that merely begins or ends as it does.
func rename(text, from, to string) string {
	var out strings.Builder
	for rest := text; ; {
		at := strings.Index(rest, from)
		if at < 0 {
			out.WriteString(rest)
			return out.String()
		}
		end := at + len(from)
		out.WriteString(rest[:at])
		switch {
		case strings.ContainsFunc(lastByte(out.String()), inAddress) || strings.ContainsFunc(firstByte(rest[end:]), continues):
			out.WriteString(from)
		default:
			out.WriteString(to)
		}
		rest = rest[end:]
	}
}

func lastByte(s string) string  { return s[max(len(s)-1, 0):] }
func firstByte(s string) string { return s[:min(1, len(s))] }

func inAddress(r rune) bool {
	return r == '_' || r == '-' || r == '.' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// continues: a full stop behind an address mostly ends a sentence.
func continues(r rune) bool { return r == '[' || r == '~' || (inAddress(r) && r != '.') }
