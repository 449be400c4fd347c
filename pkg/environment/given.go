package environment

import (
	"encoding/json"
	"maps"
)

// Given are those of an environment's parameters that it was given, by their names. The others follow the defaults of the
// templates, which may be other ones by now. Where no names were recorded (nil: it was made before they were), all count.
func Given(parameters map[string]json.RawMessage, names []string) map[string]json.RawMessage {
	if names == nil {
		return maps.Clone(parameters)
	}
	some := make(map[string]json.RawMessage, len(names))
	for _, name := range names {
		if v, known := parameters[name]; known {
			some[name] = v
		}
	}
	return some
}
