package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/environment"
)

// running is a server in this process.
type running struct {
	dir  string
	stop context.CancelFunc
	code chan int
	log  *synced
}

// synced is a buffer that a server writes to while a test reads it.
type synced struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

const hello = `
template "hello" {
  version = "1.0.0"
}
parameter "greeting" {
  type    = string
  default = "Hello"
}
action "greet" {
  command = ["echo", "${param.greeting}, ${environment.name}!"]
}
output "greeting" {
  value = action.greet.outputs.stdout
}
`

func catalogue(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "hello"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hello", "template.hcl"), []byte(hello), 0o600))
	return dir
}

// serve runs `vivarium server` with the arguments until the test stops it, and returns once it is found.
func serve(t *testing.T, dir, templates string, arguments ...string) *running {
	t.Helper()
	return serveWith(t, nil, dir, templates, arguments...)
}

// serveWith is serve with further environment variables.
func serveWith(t *testing.T, variables map[string]string, dir, templates string, arguments ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{dir: dir, stop: cancel, code: make(chan int, 1), log: &synced{}}
	f := newFake(map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME")})
	maps.Copy(f.variables, variables)
	f.out, f.err = r.log, r.log
	all := append([]string{"server", "--data-dir", dir, "--catalogue", templates, "--listen", "127.0.0.1:0"}, arguments...)
	go func() { r.code <- f.run(ctx, all) }()
	t.Cleanup(func() { r.end(t) })
	require.Eventually(t, func() bool {
		_, err := findServer(dir)
		return err == nil
	}, 30*time.Second, 10*time.Millisecond, "%s", r.log)
	return r
}

// end stops the server and waits for its exit code; twice is harmless.
func (r *running) end(t *testing.T) {
	r.stop()
	code, open := <-r.code
	if open {
		require.Equal(t, exitOK, code, "%s", r.log)
		close(r.code)
	}
	http.DefaultClient.CloseIdleConnections()
}

// command runs a command line against the server.
func (r *running) command(t *testing.T, want int, arguments ...string) string {
	t.Helper()
	f := newFake(nil)
	code := f.run(context.Background(), append(arguments, "--data-dir", r.dir))
	require.Equal(t, want, code, "%s%s\n%s", f.stdout, f.stderr, r.log)
	return f.stdout.String() + f.stderr.String()
}

func TestAServerFromStartToStopAndAgain(t *testing.T) {
	dir, templates := t.TempDir(), catalogue(t)
	r := serve(t, dir, templates, "--primary")
	require.Contains(t, r.log.String(), "is ready")
	found, err := findServer(dir)
	require.NoError(t, err)
	require.NotContains(t, r.log.String(), found.Bus, "the bus's address holds a token")

	require.Contains(t, r.command(t, exitOK, "template", "list"), "hello")
	text := r.command(t, exitOK, "env", "create", "one", "--template", "hello", "--param", "greeting=Hi", "--tag", "a", "--wait")
	require.Contains(t, text, "complete   action.greet")
	require.Contains(t, text, "one is deployed.")
	require.Contains(t, text, "Hi, one!")
	require.Contains(t, r.command(t, exitFailed, "env", "create", "one", "--template", "hello"), "exists")
	require.Contains(t, r.command(t, exitFailed, "env", "create", "two", "--template", "hello", "--param", "greting=x"), "greting")
	require.Contains(t, r.command(t, exitFailed, "env", "show", "two"), "two")
	r.end(t)

	r = serve(t, dir, templates, "--primary")
	var list []environment.Record
	require.NoError(t, json.Unmarshal([]byte(r.command(t, exitOK, "env", "list", "--tag", "a", "-o", "json")), &list))
	require.Len(t, list, 1)
	require.Contains(t, r.command(t, exitOK, "env", "show", "one"), "hello@1.0.0")
	require.Contains(t, r.command(t, exitOK, "env", "logs", "one"), "Hi, one!")
	require.Contains(t, r.command(t, exitOK, "env", "journal", "one"), "environment.deployed")
	require.Contains(t, r.command(t, exitOK, "env", "graph", "one", "-o", "dot"), "digraph")
	require.Contains(t, r.command(t, exitOK, "env", "watch", "one"), "one is deployed.")
	require.Contains(t, r.command(t, exitOK, "env", "destroy", "one", "--yes", "--wait"), "one is destroyed.")
	text = r.command(t, exitOK, "env", "create", "one", "--template", "hello", "--wait")
	require.Contains(t, text, "Hello, one!", "a name can be used again")
	require.Equal(t, 1, strings.Count(text, "complete   action.greet"), "what happened before is not shown again: %s", text)
}

func TestASecondServerOnTheSameFolderIsRefused(t *testing.T) {
	dir, templates := t.TempDir(), catalogue(t)
	r := serve(t, dir, templates, "--primary")
	require.Contains(t, r.command(t, exitFailed, "server", "--primary", "--listen", "127.0.0.1:0"), "in use by process")
	_, err := findServer(dir)
	require.NoError(t, err, "the first one is still found")
}

func TestASecondaryServesReadsAndSaysWhoseTheyAre(t *testing.T) {
	r := serve(t, t.TempDir(), catalogue(t), "--primary-cluster-name", "west")
	require.Contains(t, r.log.String(), "secondary")
	require.Contains(t, r.command(t, exitOK, "env", "list"), "NAME")
	require.Contains(t, r.command(t, exitFailed, "env", "create", "x", "--template", "hello"), "west")
	found, err := findServer(r.dir)
	require.NoError(t, err)
	response, err := http.Get(found.API + "/api/v1/self/info")
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `"role":"secondary"`)
	require.Contains(t, string(body), `"cluster":"west"`)
}

func TestARunnerElsewhereTakesTasks(t *testing.T) {
	dir, templates := t.TempDir(), catalogue(t)
	r := serve(t, dir, templates, "--primary", "--no-runner")
	ctx, stop := context.WithCancel(context.Background())
	f := newFake(map[string]string{"PATH": os.Getenv("PATH")})
	log := &synced{}
	f.out, f.err = log, log
	code := make(chan int, 1)
	go func() { code <- f.run(ctx, []string{"runner", "--pool", "default", "--data-dir", dir}) }()
	require.Contains(t, r.command(t, exitOK, "env", "create", "one", "--template", "hello", "--wait"), "Hello, one!")
	stop()
	require.Equal(t, exitOK, <-code, "%s", log)
}

func TestAnAddressThatIsTakenLeavesNothingRunning(t *testing.T) {
	r := serve(t, t.TempDir(), catalogue(t), "--primary")
	found, err := findServer(r.dir)
	require.NoError(t, err)
	dir := t.TempDir()
	f := newFake(nil)
	code := f.run(context.Background(), []string{"server", "--primary", "--data-dir", dir, "--listen", found.API[len("http://"):]})
	require.Equal(t, exitFailed, code)
	require.Contains(t, f.stderr.String(), "can't listen")
	again, err := takeLock(context.Background(), dir)
	require.NoError(t, err)
	require.NoError(t, again.release())
}

func TestExecutorsDoNotSeeOurOwnSettings(t *testing.T) {
	got := environmentOf(map[string]string{"PATH": "/bin", "VIVARIUM_KEY": "secret", "VIVARIUM_BUS": "amqp://u:p@h", "AWS_PROFILE": "x"})
	require.Equal(t, []string{"AWS_PROFILE=x", "PATH=/bin"}, got)
}

func TestABannerShowsNoPassword(t *testing.T) {
	require.Equal(t, "amqp://host:5672/v", withoutSecrets("amqp://user:secret@host:5672/v?x=secret"))
	require.Equal(t, "./templates", withoutSecrets("./templates"))
	require.NotContains(t, withoutSecrets("amqp://user:sec%ret@host"), "sec")
}

func TestRunnersOfOneHostHaveNamesOfTheirOwn(t *testing.T) {
	var s config.Settings
	require.NotEqual(t, runnerName(s, "server"), runnerName(s, "eu"))
	s.Runner.Name = "mine"
	require.Equal(t, "mine", runnerName(s, "server"))
}
