package executor

import (
	"encoding/json"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/secret"
)

// shortSecret is the length in bytes below which a secret counts only as a whole value: a secret "1" must not
// blank every digit of a message.
const shortSecret = 4

// Mask replaces the request's secrets in a text that people will read.
func (r Request) Mask(text string) string {
	for _, s := range r.Secrets {
		switch {
		case s == "":
		case len(s) >= shortSecret:
			text = strings.ReplaceAll(text, s, secret.Shown)
		case text == s:
			return secret.Shown
		}
	}
	return text
}

// Holds tells whether a JSON value has one of the request's secrets in it, so that it has to be marked sensitive.
func (r Request) Holds(value json.RawMessage) bool {
	if len(r.Secrets) == 0 {
		return false
	}
	var v any
	if json.Unmarshal(value, &v) != nil {
		return true // what can't be read can't be shown to be harmless
	}
	return r.holds(v)
}

func (r Request) holds(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return r.Mask(v) != v
	case []any:
		for _, e := range v {
			if r.holds(e) {
				return true
			}
		}
		return false
	case map[string]any:
		for k, e := range v {
			if r.holds(k) || r.holds(e) {
				return true
			}
		}
		return false
	default: // numbers and booleans are secrets by their JSON text
		text, err := json.Marshal(v)
		return err != nil || r.Mask(string(text)) != string(text)
	}
}
