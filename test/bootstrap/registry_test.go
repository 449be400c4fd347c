package bootstrap

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"
)

// pulls has a real registry, within this process, which the cluster's node reaches by the same address as this machine.
func (c *inCluster) pulls(t *testing.T, ctx context.Context) {
	t.Helper()
	outside, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	inside, err := c.k.Listen(ctx, "tcp", outside.Addr().String())
	require.NoError(t, err)
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	for _, l := range []net.Listener{outside, inside} {
		go func() { _ = server.Serve(l) }()
	}
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	c.pulled = outside.Addr().String() + "/team"
}

// wantsAnImage: without a registry or an image nothing is begun, and what it names instead is done: a node takes the archive.
func (c *inCluster) wantsAnImage(t *testing.T, ctx context.Context) {
	t.Helper()
	for _, args := range [][]string{{"--plan"}, nil} {
		out, err := c.Bootstrap(ctx, args...).CombinedOutput()
		require.Error(t, err, "%s", out)
		require.Contains(t, string(out), "say where the cluster has the service's image from")
		require.Contains(t, string(out), "image --archive FILE")
	}
	require.NoError(t, os.RemoveAll(c.Work()))
	file := filepath.Join(c.Dir, "vivarium.tar")
	name, err := c.Command(ctx, "image", "--archive", file).Output()
	require.NoError(t, err)
	f, err := os.Open(file)
	require.NoError(t, err)
	require.NoError(t, c.k.LoadArchive(ctx, strings.TrimSpace(string(name)), f))
	require.NoError(t, f.Close())
	require.NoError(t, os.Remove(file))
}

// runsWhatWasPushed: the pods of the service have the image of the registry.
func (c *inCluster) runsWhatWasPushed(t *testing.T, ctx context.Context, printed string) {
	t.Helper()
	name, err := c.Command(ctx, "image").Output()
	require.NoError(t, err)
	want := c.pulled + "/" + strings.TrimSpace(string(name))
	require.Contains(t, printed, want+" is made of this program")
	require.Contains(t, printed, want+" is in the registry "+c.pulled, "the next run finds it")
	for _, of := range []string{"server", "runner"} {
		has := c.kubectl(t, ctx, "-n", namespace, "get", "pods", "-l", "app.kubernetes.io/name="+of, "-o", "jsonpath={.items[*].spec.containers[*].image}")
		require.Equal(t, want, has)
	}
}
