package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// self is the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

func load(t *testing.T, adapt ...func(*Options)) *Plugin {
	t.Helper()
	o := Options{Path: self(t), Grace: 5 * time.Second}
	for _, f := range adapt {
		f(&o)
	}
	p, err := Load(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func request(do, word string) executor.Request {
	inputs, _ := json.Marshal(orders{Do: do, Word: word})
	return executor.Request{TaskRef: event.TaskRef{Environment: "notes", Step: "notes.unruly.a", Attempt: 1}, Inputs: inputs}
}

func requireFault(t *testing.T, err error, code fault.Code, d fault.Disposition, says ...string) {
	t.Helper()
	require.Error(t, err)
	e := fault.From(err)
	require.Equal(t, code, e.Code, "%v", err)
	require.Equal(t, d, e.Disposition, "%v", err)
	for _, s := range says {
		require.Contains(t, e.Message, s)
	}
}

func said(t *testing.T, p *Plugin, r executor.Request) string {
	t.Helper()
	outputs, err := p.Apply(t.Context(), r)
	require.NoError(t, err)
	return string(outputs["said"].Value)
}

// TestTheCodeIsMadeOfTheProtocol: after a change of schemas/executor.proto, go generate ./pkg/executor/plugin.
func TestTheCodeIsMadeOfTheProtocol(t *testing.T) {
	text, err := os.ReadFile("../../../schemas/executor.proto")
	require.NoError(t, err)
	recorded, err := os.ReadFile("internal/wire/executor.proto.sha256")
	require.NoError(t, err)
	sum := sha256.Sum256(text)
	require.Equal(t, strings.TrimSpace(string(recorded)), hex.EncodeToString(sum[:]))
}

func TestAKindTravelsAsData(t *testing.T) {
	p := load(t)
	k := p.Kind()
	require.Equal(t, unrulyKind.Name, k.Name)
	require.Equal(t, unrulyKind.Retry, k.Retry)
	require.Equal(t, unrulyKind.Timeout, k.Timeout)
	require.Equal(t, unrulyKind.Static, k.Static)
	require.Equal(t, unrulyKind.Outputs, k.Outputs)
	again, err := describe(k)
	require.NoError(t, err)
	first, err := describe(unrulyKind)
	require.NoError(t, err)
	require.Equal(t, first.String(), again.String())
	_, sensitive := template.UnwrapSensitive(k.Spec["word"])
	require.True(t, sensitive)
	require.Equal(t, "server of notes", p.Target(request("", "")))
}

// TestATemplateUsesAPluginsKind compiles a block of it, and finds mistakes in one.
func TestATemplateUsesAPluginsKind(t *testing.T) {
	kinds := template.Kinds{"unruly": load(t).Kind()}
	compile := func(body string) error {
		dir := t.TempDir()
		text := "template \"t\" {\n version = \"1.0.0\"\n}\nresource \"unruly\" \"a\" {\n" + body + "\n}\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "template.hcl"), []byte(text), 0o600))
		_, err := template.Compile(os.DirFS(dir), dir, kinds)
		return err
	}
	require.NoError(t, compile("do = \"x\"\nmany {\n any = [1]\n one {}\n}\nnamed \"n\" {}"))
	require.Error(t, compile("many {\n one {}\n}"))
	require.Error(t, compile("do = \"x\"\nmany {\n one {}\n}\nword = 3"))
	require.Error(t, compile("do = \"x\"\nunheard = 3\nmany {\n one {}\n}"))
}

func TestAPluginThatEndsIsStartedAgain(t *testing.T) {
	p := load(t)
	first := said(t, p, request("pid", ""))
	require.Equal(t, first, said(t, p, request("pid", "")), "it stays")
	for _, do := range []string{"crash", "panic"} {
		_, err := p.Apply(t.Context(), request(do, ""))
		requireFault(t, err, fault.ExecutorFailed, fault.Retry, p.name(), "notes.unruly.a", "started again")
		require.NotEqual(t, first, said(t, p, request("pid", "")))
	}
	p.Close()
	_, err := p.Apply(t.Context(), request("pid", ""))
	requireFault(t, err, fault.Cancelled, fault.Retry, "stopping")
}

func TestAPluginThatHangsIsKilled(t *testing.T) {
	p := load(t, func(o *Options) { o.Grace = 50 * time.Millisecond })
	first := said(t, p, request("pid", ""))
	var log executortest.Log
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := request("hang", "")
	r.Log = func(stream, line string) { log.Add(stream, line); cancel() }
	_, err := p.Apply(ctx, r)
	require.Equal(t, fault.Cancelled, fault.From(err).Code)
	require.Contains(t, fault.From(err).Message, "killed")
	require.NotEqual(t, first, said(t, p, request("pid", "")))
}

func TestACancelledPluginGoesOnForOthers(t *testing.T) {
	p := load(t)
	first := said(t, p, request("pid", ""))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.Apply(ctx, request("wait", ""))
	require.Equal(t, fault.Timeout, fault.From(err).Code)
	require.Equal(t, first, said(t, p, request("pid", "")))
}

// TestAPluginDiesWithItsRunner: a runner that is killed can't end it by itself.
func TestAPluginDiesWithItsRunner(t *testing.T) {
	if path := os.Getenv("PLUGIN_TEST_RUNNER"); path != "" {
		p := load(t)
		r := request("deaf", "")
		r.Log = func(_, line string) {
			require.NoError(t, os.WriteFile(path+".new", []byte(line), 0o600))
			require.NoError(t, os.Rename(path+".new", path))
		}
		_, _ = p.Apply(t.Context(), r)
		return
	}
	path := filepath.Join(t.TempDir(), "pid")
	runner, err := os.StartProcess(self(t), []string{self(t), "-test.run=^TestAPluginDiesWithItsRunner$"},
		&os.ProcAttr{Env: append(os.Environ(), "PLUGIN_TEST_RUNNER="+path)})
	require.NoError(t, err)
	var pid int
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(path)
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err == nil
	}, executortest.Patience, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(pid, 0), "it is there")
	require.NoError(t, runner.Kill())
	_, err = runner.Wait()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(status), ") Z ")
	}, executortest.Patience, 10*time.Millisecond)
}

func TestWhatAPluginSaysIsHeldToWhatThereIs(t *testing.T) {
	p := load(t)
	for do, says := range map[string]string{"no json": "no JSON", "nothing": "did not put out \"said\"", "large": "64 MiB"} {
		_, err := p.Apply(t.Context(), request(do, ""))
		requireFault(t, err, fault.ExecutorFailed, fault.GiveUp, says)
	}
	_, err := p.Plan(t.Context(), request("", ""), event.Apply)
	requireFault(t, err, fault.ExecutorFailed, fault.GiveUp, `"something"`)
}

func TestStateAndProgressGoThroughTheRunner(t *testing.T) {
	p := load(t)
	var states [][]byte
	var progress []event.Progress
	r := request("state", "x")
	r.Progress = func(p event.Progress) { progress = append(progress, p) }
	r.SaveState = func(_ context.Context, data []byte) error { states = append(states, data); return nil }
	require.Equal(t, `"x"`, said(t, p, r))
	require.Equal(t, [][]byte{[]byte("one"), {}, nil}, states)
	require.Equal(t, []event.Progress{{Message: "saved", Done: 3, Total: 3}}, progress)
	r.SaveState = func(context.Context, []byte) error { return fault.New(fault.Retry, fault.Conflict, "somebody else's") }
	_, err := p.Apply(t.Context(), r)
	requireFault(t, err, fault.Conflict, fault.Retry, "somebody else's")
}

// buffer may be written and read at once.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestSecretsOfAPlugin(t *testing.T) {
	const hidden = "hunter2-hunter2"
	var log buffer
	t.Setenv("VAULT_TOKEN", hidden)
	p := load(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.Environment = []string{"GIVEN=1"}
	})
	variables := said(t, p, request("variables", ""))
	require.Contains(t, variables, "GIVEN=1")
	require.NotContains(t, variables, hidden, "the runner's variables are not the plugin's")

	r := request("print", hidden)
	r.Secrets = []string{hidden}
	outputs, err := p.Apply(t.Context(), r)
	require.NoError(t, err)
	require.True(t, outputs["said"].Sensitive, "whatever the plugin says")
	r.Inputs = request("fail", hidden).Inputs
	_, err = p.Apply(t.Context(), r)
	requireFault(t, err, "out-of-paper", fault.Wait, "no paper for (sensitive)")
	found, err := p.Observe(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "(sensitive)", found.Differences[0].Before)
	p.Close()
	require.NotContains(t, log.String(), hidden)
}

func TestWhatIsNoPluginIsSaid(t *testing.T) {
	for act, says := range map[string]string{"later version": "version", "no plugin": "does not start", "inspects": "does not start"} {
		_, err := Load(t.Context(), Options{Path: self(t), Environment: []string{actVariable + "=" + act}})
		requireFault(t, err, fault.ExecutorFailed, fault.GiveUp, says, self(t), "build it anew")
	}
	_, err := Load(t.Context(), Options{Path: filepath.Join(t.TempDir(), "none")})
	require.ErrorContains(t, err, "can't be read")
}

func TestAPluginThatIsAnotherFileIsNotRun(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "unruly")
	program, err := os.ReadFile(self(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, program, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), nil, 0o600))
	found, err := Discover(dir)
	require.NoError(t, err)
	require.Equal(t, []string{path}, found)

	p, err := Load(t.Context(), Options{Path: path})
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, os.WriteFile(path, append(program, 0), 0o700))
	_, err = p.Apply(t.Context(), request("pid", ""))
	requireFault(t, err, fault.ExecutorFailed, fault.GiveUp, path, "start the runner anew")

	require.NoError(t, os.WriteFile(path+".sha256", []byte(strings.Repeat("0", 64)+"  unruly\n"), 0o600))
	_, err = Load(t.Context(), Options{Path: path})
	require.ErrorContains(t, err, "altered")
}
