package template

import (
	"context"
	"io/fs"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// elsewhere is a kind whose blocks refer to a folder that is not the template's.
type elsewhere struct {
	dir   string // "": it can't be reached
	asked int
}

func (e *elsewhere) kinds() Kinds {
	return Kinds{"far": Kind{
		Name: "far", Spec: hcldec.ObjectSpec{"source": &hcldec.AttrSpec{Name: "source", Type: cty.String, Required: true}},
		Static: []string{"source"},
		Inspect: func(r InspectRequest) (Inspection, hcl.Diagnostics) {
			const folder = FetchedFolder + "/far"
			if f, ok := FetchedBefore(r.Root, folder); ok {
				return Inspection{Bundle: "sub", Fetched: &f}, nil
			}
			e.asked++
			if e.dir == "" {
				at := r.Ranges["source"]
				return Inspection{}, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Not reached", Subject: &at, Extra: Passing{}}}
			}
			return Inspection{Bundle: "sub", Fetched: &Fetched{Folder: folder, Source: "far", Commit: "c0ffee", Dir: e.dir}}, nil
		},
	}}
}

const far = `
resource "far" "one" {
  source = "far"
}
`

func TestWhatIsFetchedIsPartOfTheTemplate(t *testing.T) {
	e := &elsewhere{dir: t.TempDir()}
	write(t, e.dir, "sub/file", "fetched")
	write(t, e.dir, "beside/file", "not asked for")
	dir := t.TempDir()
	write(t, dir, "notes/template.hcl", simple("notes", "1.0.0")+far)
	made, err := Compile(nil, dir+"/notes", e.kinds())
	require.NoError(t, err)
	block := made.Block("resource", "far", "one")
	require.Equal(t, "c0ffee", block.Commit)
	text, err := fs.ReadFile(made.Files(), block.Bundle+"/file")
	require.NoError(t, err)
	require.Equal(t, "fetched", string(text))
	_, err = fs.Stat(made.Files(), FetchedFolder+"/far/beside")
	require.ErrorIs(t, err, fs.ErrNotExist)

	archive, err := made.Archive()
	require.NoError(t, err)
	e.dir = ""
	again, err := FromArchive(archive, made.Ref(), t.TempDir(), e.kinds())
	require.NoError(t, err, "nothing is fetched for a template that is kept")
	require.Equal(t, "c0ffee", again.Block("resource", "far", "one").Commit)
	require.Equal(t, 1, e.asked)
}

// TestWhatCouldNotBeReachedIsTriedAgain by the catalogue, though not with every question, and without a change of the template.
func TestWhatCouldNotBeReachedIsTriedAgain(t *testing.T) {
	e := &elsewhere{}
	dir := t.TempDir()
	write(t, dir, "notes/template.hcl", simple("notes", "1.0.0")+far)
	c, err := OpenCatalogue(dir, e.kinds(), nil)
	require.NoError(t, err)
	_, err = c.Get(context.Background(), "notes")
	require.Equal(t, fault.InvalidTemplate, fault.From(err).Code)

	e.dir = t.TempDir()
	write(t, e.dir, "sub/file", "fetched")
	known := c.folders["notes"]
	require.True(t, known.passing)
	require.False(t, known.again(), "not at once")
	known.stamp.read = known.stamp.read.Add(-triedAgain)
	_, err = c.Get(context.Background(), "notes")
	require.NoError(t, err)
	require.Equal(t, 2, e.asked)

	c.folders["notes"].stamp.read = known.stamp.read.Add(-triedAgain)
	_, err = c.Get(context.Background(), "notes")
	require.NoError(t, err)
	require.Equal(t, 2, e.asked, "what was fetched stays")
}
