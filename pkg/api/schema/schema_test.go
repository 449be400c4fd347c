package schema

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

type sample struct {
	Any      json.RawMessage    `json:"any"`
	Wait     time.Duration      `json:"wait"`
	At       *time.Time         `json:"at,omitempty"`
	Status   environment.Status `json:"status"`
	Template template           `json:"template"`
}

type template struct {
	Name string `json:"name"`
}

func TestTypesAsTheyTravel(t *testing.T) {
	r := New(Options{Refs: "#/somewhere/", Closed: true, Comments: map[string]string{Module + "/pkg/api/schema.sample.Wait": "How long."}})
	got, err := r.Of(sample{})
	require.NoError(t, err)
	require.Equal(t, Object{"$ref": "#/somewhere/sample"}, got)
	def := r.Definitions()["sample"]
	properties := def["properties"].(Object)
	require.Equal(t, true, properties["any"])
	require.Equal(t, Object{"type": "integer", "description": "How long."}, properties["wait"])
	require.Equal(t, Object{"type": "string", "format": "date-time"}, properties["at"])
	require.Len(t, properties["status"].(Object)["enum"], len(environment.Statuses()))
	require.Equal(t, []any{"any", "wait", "status", "template"}, def["required"])
	require.Equal(t, false, def["additionalProperties"])
}

func TestOneNameForTwoTypes(t *testing.T) {
	type template struct{ Other int }
	r := New(Options{})
	_, err := r.Of(sample{})
	require.NoError(t, err)
	_, err = r.Of(template{})
	require.ErrorContains(t, err, "template")
}

func TestCommentsAreFound(t *testing.T) {
	comments, err := ReadComments("../../..")
	require.NoError(t, err)
	require.Contains(t, comments[Module+"/pkg/event.Create.Templates"], "name@version")
	require.Equal(t, builtin(), comments, "run go generate ./schemas")
}
