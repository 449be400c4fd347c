package container

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func compiled(body string) (*template.Template, error) {
	source := "template \"t\" { version = \"1.0.0\" }\nresource \"container\" \"x\" {\nimage = \"x\"\n" + body + "\n}\n"
	return template.Compile(fstest.MapFS{"template.hcl": {Data: []byte(source)}}, "", template.Kinds{Name: Kind()})
}

func TestTheOrderOfAReplacement(t *testing.T) {
	for body, order := range map[string]string{
		"lifecycle {\n create_before_destroy = true\n }":                                                StartFirst,
		"lifecycle {\n create_before_destroy = false\n }":                                               StopFirst,
		"lifecycle {\n create_before_destroy = false\n }\nupdate {\n health_timeout = \"5s\"\n }":       StopFirst,
		"lifecycle {\n create_before_destroy = false\n }\nupdate {\n order = \"stop_first\"\n }":        StopFirst,
		"lifecycle {\n create_before_destroy = false\n }\nport {\n container = 80\n host = 80\n }":      StopFirst,
		"lifecycle {\n create_before_destroy = 1 < 2\n }\nport {\n container = 80\n }":                  StartFirst,
		"lifecycle {\n create_before_destroy = true\n prevent_destroy = true\n }\nupdate {\n }":         StartFirst,
		"lifecycle {\n create_before_destroy = true\n }\nupdate {\n order = \"${\"start\"}_first\"\n }": StartFirst,
	} {
		made, err := compiled(body)
		require.NoError(t, err, body)
		v, diags := made.Blocks()[0].Decode(nil)
		require.Empty(t, diags, body)
		require.Equal(t, order, v.GetAttr("update").GetAttr("order").AsString(), body)
	}
}

func TestOrdersThatCanNotBe(t *testing.T) {
	for body, says := range map[string]string{
		"lifecycle {\n create_before_destroy = true\n }\nport {\n container = 80\n host = 80\n }":   "the old one has to be gone before",
		"lifecycle {\n create_before_destroy = true\n }\nupdate {\n order = \"stop_first\"\n }":     "says the opposite",
		"lifecycle {\n create_before_destroy = \"perhaps\"\n }":                                     "has to be a bool",
		"lifecycle {\n create_before_destroy = resource.container.x.outputs.url == null\n }":        "x",
		"lifecycle {\n create_before_destroy = true\n create_before_destroy = false\n }":            "create_before_destroy",
		"lifecycle {\n create_before_destroy = false\n }\nupdate {\n order = \"start_first\"\n }\n": "says the opposite",
	} {
		_, err := compiled(body)
		require.True(t, fault.Is(err, fault.InvalidTemplate), "%s: %v", body, err)
		d := fault.From(err).Diagnostics[0]
		require.Contains(t, d.Summary+d.Detail, says, body)
		require.Contains(t, []int{2, 5, 6}, d.Line, "%s: %+v", body, d)
	}
}
