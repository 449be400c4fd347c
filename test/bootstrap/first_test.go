package bootstrap

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAVeryFirstStartIsCutOff has Vault, and then the broker, end when they had just begun for the first time, with files that are cut off as by a full disk:
// the same command finds that nothing was in them, and makes all anew.
func TestAVeryFirstStartIsCutOff(t *testing.T) {
	if os.Getenv("VIVARIUM_FAULTS") != "long" {
		t.Skip("VIVARIUM_FAULTS=long (make test-bootstrap) breaks what servers store")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := place(t, ctx)
	printed := p.cut(t, ctx, "vault", "vault.db") + p.cut(t, ctx, "broker", "vivarium@localhost/schema.DAT", "vivarium@localhost/coordination/vivarium@localhost/meta.dets")
	text, err := killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, "%s\nand before:\n%s", text, printed)
	require.Contains(t, printed, `What meta.container.vault["one"] has stored is of no use`)
	require.Contains(t, text, "meta is made anew")
	p.shows(t, ctx)
	p.goes(t, ctx)
}

// cut is a run that is killed when a server has its volume, with all that it has begun; the server's files end too early. It returns what was printed.
func (p *Place) cut(t *testing.T, ctx context.Context, server string, files ...string) string {
	t.Helper()
	data := filepath.Join(p.Work(), "site", "volumes", server, "data")
	var printed strings.Builder
	cmd, reached := p.Bootstrap(ctx), false
	_ = runWith(cmd, &printed, once("running    container."+server, func() {
		reached = true
		for ctx.Err() == nil {
			if _, err := os.Stat(data); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		_ = cmd.Process.Kill() // it may have ended
	}))
	require.True(t, reached, "%s", printed.String())
	p.loses(t)
	for _, file := range files {
		at := filepath.Join(data, filepath.FromSlash(file))
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
		require.NoError(t, os.WriteFile(at, []byte("cut off"), 0o600))
	}
	return printed.String()
}
