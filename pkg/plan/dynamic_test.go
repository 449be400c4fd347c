package plan

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDynamicBlocks: a block that stands for as many as its for_each has elements; what it refers to makes edges, and what it calls
// its elements does not.
func TestDynamicBlocks(t *testing.T) {
	source := head + `
		parameter "ports" {
			type    = list(number)
			default = []
		}
		resource "box" "db" { image = "db" }
		resource "crate" "api" {
			image = "api"
			dynamic "expose" {
				for_each = param.ports
				content { port = expose.value }
			}
			dynamic "expose" {
				for_each = [resource.box.db.outputs.port]
				iterator = it
				content { port = it.value + length(param.ports) }
			}
		}`
	out := recorded(map[string]string{"t.box.db": `{"url":"u","port":5432}`})
	for given, want := range map[string]string{
		`[]`:      `{"image":"api","expose":[{"port":5432}]}`,
		`[80,81]`: `{"image":"api","expose":[{"port":80},{"port":81},{"port":5434}]}`,
	} {
		p := resolve(t, map[string]json.RawMessage{"ports": json.RawMessage(given)}, source)
		require.Equal(t, []string{"t.box.db"}, addresses(p)["t.crate.api"])
		in, err := p.Inputs("t.crate.api", out)
		require.NoError(t, err)
		require.JSONEq(t, want, string(in.Data))
	}
}
