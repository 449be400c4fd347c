package bootstrap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// fullFor is how long the disk is full.
const fullFor = 5 * time.Second

// TestBootstrapOnAFullDisk has the work folder on a small disk, which is full before anything is begun, in the middle, and at the
// handover: what can't be kept is not begun, and once there is room the same command goes on.
func TestBootstrapOnAFullDisk(t *testing.T) {
	if os.Getenv("VIVARIUM_FAULTS") != "long" {
		t.Skip("VIVARIUM_FAULTS=long (make test-bootstrap) fills disks")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := place(t, ctx)
	p.disk = p.small(t, "disk", "768m")

	empty := fills(t, p.disk)
	text, err := killed(t, p.Bootstrap(ctx), "")
	require.Error(t, err, text)
	require.Contains(t, text, "make room", "nothing can be begun")
	empty()
	for _, moment := range []string{"complete   rabbitmq_cluster.broker", "Handover"} {
		p.meets(t, ctx, moment)
	}
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "no change")
	p.shows(t, ctx)

	p.spoilsBroker(t, ctx)
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "started anew")
	require.Contains(t, text, "no change")
	p.shows(t, ctx)

	p.goes(t, ctx)
}

// spoilsBroker leaves the broker as a full disk does, where it is full while it writes.
func (p *Place) spoilsBroker(t *testing.T, ctx context.Context) {
	t.Helper()
	roots, err := filepath.Glob(filepath.Join(p.Work(), "site", "replicas", "meta-broker-*", "root"))
	require.NoError(t, err)
	require.Len(t, roots, 1)
	_, err = servers.EvalInRabbitMQ(ctx, servers.EndsQuorumQueues,
		"PATH="+os.Getenv("PATH"), "HOME="+roots[0], fmt.Sprint("ERL_EPMD_PORT=", p.ports[4]), "RABBITMQ_NODENAME=vivarium@localhost")
	require.NoError(t, err)
}

// meets is a run during which the disk becomes full at a moment, for a while. It ends, well or with what to do.
func (p *Place) meets(t *testing.T, ctx context.Context, moment string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var b strings.Builder
	over := make(chan struct{})
	err := runWith(p.Bootstrap(ctx), &b, once(moment, func() {
		empty := fills(t, p.disk)
		time.AfterFunc(fullFor, func() { defer close(over); empty() })
	}))
	t.Logf("full at %q: %v\n%s", moment, err, b.String())
	require.NoError(t, ctx.Err(), "it does not wait for ever: %s", b.String())
	if strings.Contains(b.String(), moment) {
		<-over
	}
	if err != nil {
		require.Regexp(t, "make room|run the same command again|run this again|start again", b.String())
	}
}

// small is a small disk.
func (p *Place) small(t *testing.T, name, size string) string {
	t.Helper()
	dir := filepath.Join(p.Dir, name)
	require.NoError(t, os.Mkdir(dir, 0o711))
	require.NoError(t, syscall.Mount("none", dir, "tmpfs", 0, "size="+size), "only root can make a small disk")
	return dir
}

// fills uses up all the room that there is, and returns what gives it back.
func fills(t *testing.T, disk string) (empty func()) {
	t.Helper()
	file := filepath.Join(disk, "filler")
	f, err := os.Create(file)
	require.NoError(t, err)
	for _, size := range []int{1 << 20, 4 << 10, 1} { // down to the last byte of the last page
		for piece := make([]byte, size); err == nil; {
			_, err = f.Write(piece)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		err = nil
	}
	require.NoError(t, f.Close())
	return func() { _ = os.Remove(file) } // a test that has ended has no use for it
}
