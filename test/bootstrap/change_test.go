package bootstrap

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// changes runs the bootstrap again with another parameter, and with another template in the repository: it says what would change, and does it when
// it is told to.
func (p *Place) changes(t *testing.T, ctx context.Context) {
	t.Helper()
	p.differs(t, ctx, "container.runner", "--param", "log_level=warn")
	p.template(t, ctx)
	p.differs(t, ctx, "container.server", "--param", "log_level=warn")
	text, err := killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "no change", "what is not said stays as it was said before")
}

// differs is a run that would have another environment zero, in which the step is another.
func (p *Place) differs(t *testing.T, ctx context.Context, step string, args ...string) {
	t.Helper()
	text, err := killed(t, p.Bootstrap(ctx, args...), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "this run would have another one")
	require.Contains(t, text, step)
	require.Contains(t, text, "--update")
	p.shows(t, ctx) // as it was

	text, err = killed(t, p.Bootstrap(ctx, append(args, "--update")...), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "complete   "+step)
	require.NotContains(t, text, "container.consul", "what is not concerned is left alone")
	p.shows(t, ctx)
	text, err = killed(t, p.Bootstrap(ctx, args...), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "no change")
}

// template has the repository have a meta of its own, in which the server has two variables more, and looks at everything all the time.
func (p *Place) template(t *testing.T, ctx context.Context) {
	t.Helper()
	meta := os.DirFS("../../bootstrap/templates/meta")
	require.NoError(t, fs.WalkDir(meta, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(meta, file)
		if err != nil {
			return err
		}
		changed := strings.Replace(string(text), "VIVARIUM_DATA_DIR ", "TZ = \"UTC\"\n    VIVARIUM_DRIFT_INTERVAL = \"2s\"\n    VIVARIUM_DATA_DIR ", 1)
		return p.commit(ctx, "demo-templates", "meta/"+file, changed)
	}))
}
