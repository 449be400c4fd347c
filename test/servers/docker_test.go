package servers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/ports"
)

// envDockerDir makes this test program start an engine there and wait to be killed.
const envDockerDir = "VIVARIUM_SERVERS_TEST_DOCKER_DIR"

func dockerChild(dir string) {
	d, err := StartDocker(context.Background(), dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if err := d.Image(context.Background(), "sample:1", SampleApp); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(d.net.bridge)
	select {}
}

// shortDir is a folder whose name leaves room for sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vdt-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func TestDocker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	require.NoError(t, InstallDocker(ctx, os.Stderr))
	d, err := StartDocker(ctx, shortDir(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Discard()) }()
	require.Regexp(t, `^\d+\.\d+\.\d+`, d.Version())
	require.NoError(t, d.Image(ctx, "sample:1", SampleApp))

	other, err := StartDocker(ctx, shortDir(t))
	require.NoError(t, err, "two engines beside each other")
	require.NoError(t, other.Discard())

	url := runSample(ctx, t, d)
	require.Equal(t, "v1", get(t, url))
	require.NoError(t, d.Kill())
	// The kernel ends what is in the engine's namespace, one after the other.
	require.Eventually(t, func() bool { return !reachable(url) }, time.Minute, 10*time.Millisecond, "a container ends with its engine")
	require.NoError(t, d.Start(ctx))
	require.NoError(t, d.Start(ctx), "it runs already")
	require.Equal(t, "v1", get(t, url), "it is restarted, on the same port")
	require.NoError(t, d.Restart(ctx))
	require.NoError(t, d.Stop(ctx))
	require.NoError(t, d.Stop(ctx), "stopping twice")
	require.Error(t, d.Pause())
}

// runSample runs the sample on a network of its own, and returns where it is published.
func runSample(ctx context.Context, t *testing.T, d *Docker) string {
	t.Helper()
	c, err := d.Client()
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	_, err = c.NetworkCreate(ctx, "back", client.NetworkCreateOptions{})
	require.NoError(t, err)
	free, err := ports.Free(1)
	require.NoError(t, err)
	port := network.MustParsePort("8080/tcp")
	made, err := c.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name:   "one",
		Config: &container.Config{Image: "sample:1", Env: []string{"VERSION=v1"}, ExposedPorts: network.PortSet{port: {}}},
		HostConfig: &container.HostConfig{
			NetworkMode: "back", RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyAlways},
			PortBindings: network.PortMap{port: {{HostPort: fmt.Sprint(free[0])}}},
		},
	})
	require.NoError(t, err)
	_, err = c.ContainerStart(ctx, made.ID, client.ContainerStartOptions{})
	require.NoError(t, err)
	return fmt.Sprintf("http://127.0.0.1:%d/", free[0])
}

func reachable(url string) bool {
	_, err := try(url)
	return err == nil
}

func try(url string) (string, error) {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// get waits until the URL answers.
func get(t *testing.T, url string) (text string) {
	t.Helper()
	require.Eventually(t, func() (ok bool) {
		var err error
		text, err = try(url)
		return err == nil
	}, 30*time.Second, 20*time.Millisecond, url)
	return text
}

// TestDockerEndsWithItsParent: nothing is left of an engine whose process was killed, but what the next one takes away.
func TestDockerEndsWithItsParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDockerDir+"="+shortDir(t))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	bridge := lines.Text()
	require.Regexp(t, `^vivd\d+$`, bridge)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Eventually(t, func() bool {
		d, err := StartDocker(t.Context(), shortDir(t))
		if err != nil {
			return false
		}
		defer func() { require.NoError(t, d.Discard()) }()
		return d.net.bridge == bridge
	}, 30*time.Second, 50*time.Millisecond, "its addresses are free again")
	_, err = net.InterfaceByName(bridge)
	require.Error(t, err, "no bridge is left")
}
