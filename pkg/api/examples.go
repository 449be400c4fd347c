package api

import (
	_ "embed"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/api/schema"
)

// examplesText holds a real answer of each route that answers JSON, by the route's id. A test asks for all of them, writes the file when
// it is told to, and holds what is in it against the schema and against what is answered now.
//
//go:embed examples.json
var examplesText []byte

// examples by the ids of routes.
func examples() (map[string]any, error) {
	all := map[string]any{}
	return all, json.Unmarshal(examplesText, &all)
}

// withExample adds the example of a route to its JSON answer, where there is one.
func withExample(responses schema.Object, example any) {
	response, _ := responses["200"].(schema.Object)
	content, _ := response["content"].(schema.Object)
	if media, ok := content[mimeJSON].(schema.Object); ok && example != nil {
		media["example"] = example
	}
}
