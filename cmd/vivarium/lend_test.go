package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
)

// trio are three sides on one machine that are ended and started again.
type trio struct {
	t         *testing.T
	templates string
	variables map[string]string
	ports     [3]string
	dirs      [3]string
}

func (x *trio) start(n int) *side {
	x.t.Helper()
	var others []string
	for i, port := range x.ports {
		if i != n {
			others = append(others, "http://127.0.0.1:"+port)
		}
	}
	arguments := []string{"--primary-cluster-name", "east", "--listen", "127.0.0.1:" + x.ports[n], "--stop-timeout", "5s", "--follow", strings.Join(others, ",")}
	if n == 0 {
		arguments = append(arguments, "--primary")
	}
	return &side{serveWith(x.t, x.variables, x.dirs[n], x.templates, arguments...), x.variables}
}

// copyOf is a folder with all that another one has.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	require.NoError(t, filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600) // keys are for nobody else
	}))
	return to
}

// made has the primary make an environment with one secondary that follows, and ends both.
func (x *trio) made(secondary int, name string) {
	x.t.Helper()
	one, other := x.start(0), x.start(secondary)
	one.do(x.t, "env", "create", name, "--template", "hello", "--wait")
	eventually(x.t, func() bool {
		code, text := other.try("env", "show", name)
		return code == exitOK && strings.Contains(text, "deployed") && other.is(wire.Secondary, 1)
	})
	other.end(x.t)
	one.end(x.t)
}

// TestOfTwoThatBothLackSomethingOneTakesOver: when the primary was lost, each of its secondaries had an entry that the other one had not. As nobody
// can cut a stream just there, the primary is two from some moment on, each with an environment, in partitions of their own.
func TestOfTwoThatBothLackSomethingOneTakesOver(t *testing.T) {
	x := &trio{t: t, templates: catalogue(t), variables: map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"),
		"VIVARIUM_CLUSTER_LEASE": "5s", "VIVARIUM_CLUSTER_MARGIN": "500ms"}}
	for i := range x.ports {
		x.ports[i], x.dirs[i] = freePort(t), t.TempDir()
	}
	one, two, three := x.start(0), x.start(1), x.start(2)
	eventually(t, func() bool { return knows(two, 2) && knows(three, 2) })
	one.do(t, "env", "create", "first", "--template", "hello", "--wait")
	eventually(t, func() bool { return two.is(wire.Secondary, 1) && three.is(wire.Secondary, 1) })
	token := strings.TrimSpace(one.do(t, "cluster", "token"))
	two.end(t)
	three.end(t)
	one.end(t)
	again := copyOf(t, x.dirs[0])
	x.made(1, "second")
	x.dirs[0] = again
	x.made(2, "third-in-a-partition-of-its-own")

	two, three = x.start(1), x.start(2)
	won, lost := promotedAtOnce(two, three, token)
	require.Equal(t, exitOK, won.code, "%s\n%s\n%s", won.text, lost.text, won.side.log)
	require.Equal(t, exitFailed, lost.code, "%s\n%s", won.text, lost.text)
	require.Contains(t, lost.text, memberOf(won.side))
	require.Contains(t, won.side.log.String(), "they are taken from it")
	for _, name := range []string{"first", "second", "third-in-a-partition-of-its-own"} {
		require.Contains(t, won.side.do(t, "env", "show", name), "deployed")
	}
	eventually(t, func() bool { return lost.side.is(wire.Secondary, 2) })
	require.Zero(t, clusterOf(t, lost.side.running).SetAside, "nothing that one of them had is lost")
}
