package deployments

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

const (
	// release is the version that the image says it is.
	release = "1.2.3-test"
	// builderImage stands for the one with Go.
	builderImage = "vivarium-builder:test"
	image        = "vivarium:dev"
	patience     = 2 * time.Minute
)

// plain needs no program that the image does not have.
const plain = `template "plain" {
  version = "1.0.0"
}
resource "noop" "one" {}
`

// goCommand is what the Containerfile has Go do, and what it sets for that.
func goCommand(t *testing.T) (args, env []string) {
	t.Helper()
	text := read(t, "Containerfile")
	run := regexp.MustCompile(`(?m)^RUN (\["go", "build".*\])$`).FindStringSubmatch(text)
	require.NotNil(t, run, "it builds with Go")
	require.NoError(t, json.Unmarshal([]byte(run[1]), &args))
	flags := regexp.MustCompile(`(?m)^ENV CGO_ENABLED=0 GOFLAGS="(.*)"$`).FindStringSubmatch(text)
	require.NotNil(t, flags)
	return args[1:], append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+strings.ReplaceAll(flags[1], "${VERSION}", release))
}

// builder is an image that has what Go would make: it was made by the same words, outside of Docker.
func builder(t *testing.T) []byte {
	t.Helper()
	folder := t.TempDir()
	args, env := goCommand(t)
	for i, arg := range args {
		if arg == "/out/" {
			args[i] = filepath.Join(folder, "built") + "/"
		}
	}
	goes := func(env []string, args ...string) {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = root, env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	goes(env, args...)
	goes(env, "build", "-o", filepath.Join(folder, "go"), "./test/deployments/builder")
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	put := func(name string, text []byte) {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err := w.Write(text)
		require.NoError(t, err)
	}
	for to, from := range map[string]string{"bin/go": "go", "built/vivarium": "built/vivarium", "built/vivarium-draw": "built/vivarium-draw"} {
		text, err := os.ReadFile(filepath.Join(folder, from))
		require.NoError(t, err)
		put(to, text)
	}
	put("etc/ssl/certs/ca-certificates.crt", []byte("of the image with Go\n"))
	require.NoError(t, w.Close())
	return archive.Bytes()
}

// sources are the files that git knows, and those that it will.
func sources(t *testing.T) []byte {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		require.NoError(t, err)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err = w.Write(text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return archive.Bytes()
}

// builtImage is made by the Containerfile on the shared engine.
func builtImage(t *testing.T) *client.Client {
	t.Helper()
	engine := servers.SharedDocker(t)
	docker, err := engine.Client()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, docker.Close()) })
	require.NoError(t, engine.Import(t.Context(), builderImage, bytes.NewReader(builder(t)), "ENV PATH=/bin"))
	ref := func(s string) *string { return &s }
	built, err := docker.ImageBuild(t.Context(), bytes.NewReader(sources(t)), client.ImageBuildOptions{
		Dockerfile: "deployments/Containerfile", Tags: []string{image}, Remove: true,
		BuildArgs: map[string]*string{"GO": ref(builderImage), "VERSION": ref(release)},
	})
	require.NoError(t, err)
	answers(t, built.Body)
	return docker
}

// TestImage builds the image by its Containerfile on a real Docker, and runs the program and a server in it.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Docker Engine")
	}
	docker := builtImage(t)
	found, err := docker.ImageInspect(t.Context(), image)
	require.NoError(t, err)
	require.Equal(t, "65532:65532", found.Config.User)
	require.Less(t, found.Size, int64(200<<20))
	v := start(t, docker, &container.Config{Image: image, Cmd: []string{"version"}}, nil)
	require.Zero(t, v.wait())
	require.Contains(t, v.printed(), release)

	// A server that may write to its volume and /tmp alone, as in the Compose file.
	templates := filepath.Join(t.TempDir(), "templates")
	require.NoError(t, os.MkdirAll(filepath.Join(templates, "plain"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "plain", "template.hcl"), []byte(plain), 0o644))
	s := start(t, docker, &container.Config{Image: image}, &container.HostConfig{
		ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges:true"}, Tmpfs: map[string]string{"/tmp": "uid=65532,gid=65532"},
		Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: "vivarium-image-test", Target: "/data"}, {Type: mount.TypeBind, Source: templates, Target: "/templates"}},
	})
	at := "http://" + net.JoinHostPort(s.address(), "8090")
	require.Eventually(t, func() bool { return get(at+"/api/v1/self/readiness") == http.StatusOK }, patience, 100*time.Millisecond, "%s", s.printed)
	code, out := s.exec("/usr/bin/vivarium", "env", "create", "demo", "--template", "plain", "--wait")
	require.Zero(t, code, "%s", out)
	require.Equal(t, http.StatusOK, get(at+"/api/v1/environments/demo"))
	require.Equal(t, http.StatusOK, get(at+"/api/v1/environments/demo/graph?format=svg"), "the second program draws")
	_, err = docker.ContainerStop(t.Context(), s.id, client.ContainerStopOptions{})
	require.NoError(t, err)
	require.Zero(t, s.wait(), "it ends in an orderly way: %s", s.printed())
}

func get(url string) int {
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// answers reads what the engine says of a piece of work.
func answers(t *testing.T, body io.ReadCloser) {
	t.Helper()
	defer func() { _ = body.Close() }()
	var all []string
	for read := json.NewDecoder(body); ; {
		var answer struct{ Stream, Error string }
		if err := read.Decode(&answer); err == io.EOF {
			return
		} else {
			require.NoError(t, err)
		}
		all = append(all, answer.Stream)
		require.Empty(t, answer.Error, "%s", strings.Join(all, ""))
	}
}

// running is a container of a test.
type running struct {
	*testing.T
	docker *client.Client
	id     string
}

func start(t *testing.T, docker *client.Client, c *container.Config, h *container.HostConfig) running {
	t.Helper()
	made, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: c, HostConfig: h})
	require.NoError(t, err)
	_, err = docker.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{})
	require.NoError(t, err)
	return running{T: t, docker: docker, id: made.ID}
}

func (r running) wait() int {
	r.Helper()
	w := r.docker.ContainerWait(r.Context(), r.id, client.ContainerWaitOptions{})
	select {
	case got := <-w.Result:
		return int(got.StatusCode)
	case err := <-w.Error:
		require.NoError(r.T, err)
	}
	return -1
}

func (r running) printed() string {
	logs, err := r.docker.ContainerLogs(r.Context(), r.id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	require.NoError(r.T, err)
	defer func() { _ = logs.Close() }()
	text, err := io.ReadAll(logs)
	require.NoError(r.T, err)
	return string(text)
}

func (r running) address() string {
	got, err := r.docker.ContainerInspect(r.Context(), r.id, client.ContainerInspectOptions{})
	require.NoError(r.T, err)
	return got.Container.NetworkSettings.Networks["bridge"].IPAddress.String()
}

// exec runs a program in the container.
func (r running) exec(args ...string) (code int, out string) {
	r.Helper()
	made, err := r.docker.ExecCreate(r.Context(), r.id, client.ExecCreateOptions{Cmd: args, AttachStdout: true, AttachStderr: true})
	require.NoError(r.T, err)
	attached, err := r.docker.ExecAttach(r.Context(), made.ID, client.ExecAttachOptions{})
	require.NoError(r.T, err)
	defer attached.Close()
	text, err := io.ReadAll(attached.Reader)
	require.NoError(r.T, err)
	got, err := r.docker.ExecInspect(r.Context(), made.ID, client.ExecInspectOptions{})
	require.NoError(r.T, err)
	return got.ExitCode, fmt.Sprint(strconv.Quote(string(text)))
}
