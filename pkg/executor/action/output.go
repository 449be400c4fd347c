package action

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

const (
	// stdoutLimit is how many bytes of the end of stdout become an output.
	stdoutLimit = 64 << 10
	// jsonLimit is how long stdout may be in bytes to be looked at as a JSON object.
	jsonLimit = 1 << 20
	// lineLimit is how many bytes of the last line on stderr go into an error's message.
	lineLimit = 512
)

// nothing is an output of the other sort of action.
var nothing = json.RawMessage("null")

// tail keeps the end of a text.
type tail struct {
	limit int
	text  []byte
	cut   bool
}

// add takes a line, or a piece of one when there is more of it. What is too much is dropped only when it has become
// as long again, so that adding stays cheap.
func (t *tail) add(line []byte, more bool) {
	t.text = append(t.text, line...)
	if !more {
		t.text = append(t.text, '\n')
	}
	if len(t.text) > 2*t.limit {
		t.cut = true
		t.text = append(t.text[:0], t.text[len(t.text)-t.limit:]...)
	}
}

func (t *tail) outputs(r executor.Request) executor.Outputs {
	text := end(bytes.TrimSpace(t.text), stdoutLimit)
	stdout, _ := json.Marshal(text) // a string always has a JSON form
	object := nothing
	if whole := bytes.TrimSpace(t.text); !t.cut && bytes.HasPrefix(whole, []byte("{")) && json.Valid(whole) {
		object = bytes.Clone(whole)
	}
	outputs := executor.Outputs{
		"exit_code": {Value: json.RawMessage("0")},
		"stdout":    {Value: stdout},
		"json":      {Value: object},
		"status":    {Value: nothing},
		"body":      {Value: nothing},
	}
	for name, o := range outputs {
		outputs[name] = executor.Value{Value: o.Value, Sensitive: r.Holds(o.Value)}
	}
	return outputs
}

// end is the end of a text of at most limit bytes, beginning with a whole character.
func end(text []byte, limit int) string {
	if len(text) > limit {
		text = text[len(text)-limit:]
		for len(text) > 0 && !utf8.RuneStart(text[0]) {
			text = text[1:]
		}
	}
	return string(bytes.TrimSpace(text))
}

// last keeps the last line that says anything.
type last struct{ text string }

func (l *last) add(line []byte) {
	if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
		l.text = strings.ToValidUTF8(end(trimmed, lineLimit), "\uFFFD")
	}
}
