package template

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestAnInspectedBlockMayMentionWhatComesLater: what that puts out was taken for nothing, since it was asked for before it was known.
func TestAnInspectedBlockMayMentionWhatComesLater(t *testing.T) {
	_, err := Compile(fstest.MapFS{
		"m/module.json": {Data: []byte(`{"inputs":{"url":"string"}}`)},
		"template.hcl": {Data: []byte(head + `
resource "module" "first" {
  source = "./m"
  inputs = { url = resource.box.later.outputs.url }
}
resource "box" "other" {
  image = resource.box.later.outputs.url
}
resource "box" "later" {
  image = "a"
}
`)},
	}, "", testKinds())
	require.NoError(t, err)
}
