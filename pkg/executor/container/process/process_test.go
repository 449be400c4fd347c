package process

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/ports"
)

// freePort is one that nobody has now.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := ports.One()
	require.NoError(t, err)
	return port
}

// serving is a block of the program on a port; more is put in.
func serving(port int, env, more string) string {
	return fmt.Sprintf(`{"image":"app","env":{"PORT":"%[1]d"%[2]s},"port":[{"container":%[1]d}],"health":{"http":{"path":"/health","port":%[1]d},"interval":"100ms"}%[3]s}`, port, env, more)
}

// TestItIsReplacedAndComesBack: both want the one port, so the old one stands aside, and is there again when the new one does not get well.
func TestItIsReplacedAndComesBack(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, `,"VERSION":"1","PASSWORD":"hunter2-hunter2"`, ""))
	b.request.Secrets = []string{"hunter2-hunter2"}
	o := b.apply()
	require.Equal(t, map[string]int{fmt.Sprint(port): port}, o.Ports)
	require.Equal(t, []string{"127.0.0.1"}, o.Addresses)
	require.Equal(t, "1", b.from(port, "/"))
	require.Equal(t, o, b.apply(), "nothing to do")

	b.inputs(serving(port, `,"VERSION":"2","UNHEALTHY":"no good"`, `,"update":{"health_timeout":"300ms"}`))
	require.Contains(t, b.plan().Differences, event.Difference{Path: "env.VERSION", Change: event.ChangeUpdate, Before: "1", After: "2"})
	b.fails(container.Unhealthy, "no good", "serving on port")
	eventually(t, func() bool { text, err := ask(port, "/"); return err == nil && text == "1" })
	require.Equal(t, "hunter2-hunter2", b.from(port, "/env?name=PASSWORD"), "with what only its supervisor knew")
	require.Len(t, b.all(), 1)

	b.inputs(serving(port, `,"VERSION":"2"`, ""))
	b.apply()
	require.Equal(t, "2", b.from(port, "/"))
	require.Len(t, b.all(), 1)
}

// TestRunnersComeAndGo: another runner of the machine finds what runs, and it is the same process.
func TestRunnersComeAndGo(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, "", ""))
	b.apply()
	was := b.all()[0].state
	b.Executor = New(b.options)
	require.False(t, b.observe().Drifted)
	b.apply()
	require.Equal(t, was, b.all()[0].state)
}

// TestAfterARestart: nothing runs, whatever the numbers say, and an apply puts it right.
func TestAfterARestart(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, "", ""))
	o := b.apply()
	f := b.all()[0]
	require.True(t, b.supervised())
	require.NoError(t, syscall.Kill(f.state.Supervisor.PID, syscall.SIGKILL))
	eventually(t, func() bool { return !b.all()[0].alive && !supervisor.Left(f.ID) })
	require.False(t, b.supervised(), "nobody starts anything again")
	require.Equal(t, []event.Difference{{Path: "replica 1", Change: event.ChangeReplace, Before: "running", After: "gone"}}, b.observe().Differences)
	require.Equal(t, event.ChangeUpdate, b.plan().Change)
	require.Equal(t, o, b.apply())
	require.False(t, b.observe().Drifted)
	require.NotEqual(t, f.ID, b.all()[0].ID)
}

func TestItIsStartedAgain(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, "", ""))
	b.apply()
	_, _ = ask(port, "/exit?code=3")
	eventually(t, func() bool { return b.all()[0].state.Restarts == 1 && b.all()[0].state.Phase == supervisor.Running })
	require.Equal(t, 3, b.all()[0].state.ExitCode)
	eventually(t, func() bool { return !b.observe().Drifted })
}

// TestRestart needs to know of the step no more than whose it is.
func TestRestart(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, `,"PASSWORD":"hunter2-hunter2"`, ""))
	b.apply()
	was, known := b.all()[0].state, b.request
	known.Inputs = nil
	require.NoError(t, b.Restart(t.Context(), known))
	now := b.all()[0].state
	require.NotEqual(t, was.Program, now.Program)
	require.Equal(t, was.Supervisor, now.Supervisor)
	eventually(t, func() bool {
		text, err := ask(port, "/env?name=PASSWORD")
		return err == nil && text == "hunter2-hunter2"
	})
	eventually(t, func() bool { return !b.observe().Drifted })

	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.NoError(t, b.Restart(t.Context(), known), "nothing is there")
}

func TestWhatEndsAgainAndAgain(t *testing.T) {
	b := newBed(t, `{"image":"app","env":{"EXIT":"4","SAY":"the reason"}}`)
	b.fails(container.Unhealthy, "ends again and again, last with code 4", "the reason")
	require.Empty(t, b.all())
}

func TestWhatRunsOnce(t *testing.T) {
	b := newBed(t, `{"image":"app","env":{"EXIT":"0"},"restart":"on-failure"}`)
	b.apply()
	require.False(t, b.observe().Drifted)
	require.Equal(t, event.ChangeNone, b.plan().Change)
}

// TestPathsAreMoved: files and volumes are where the block says, for whoever reads its paths.
func TestPathsAreMoved(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, `,"CONFIG":"/etc/app/deep/a.txt","ELSE":"/etc/hostname","MORE":"x=/data/sub:/etc/app/"`,
		`,"files":{"/etc/app/deep/a.txt":"data is in /data, not in /database","/data/given":"in the volume"},"volume":[{"name":"paths-data","path":"/data"}],"workdir":"/etc/app"`))
	b.apply()
	f := b.all()[0]
	root := rootOf(f.folder)
	require.Equal(t, root+"/etc/app/deep/a.txt", b.from(port, "/env?name=CONFIG"))
	require.Equal(t, "/etc/hostname", b.from(port, "/env?name=ELSE"))
	require.Equal(t, "x="+root+"/data/sub:"+root+"/etc/app/", b.from(port, "/env?name=MORE"))
	require.Equal(t, "data is in "+root+"/data, not in /database", b.from(port, "/file?path=deep/a.txt"), "read from its working folder")
	require.Equal(t, "in the volume", b.from(port, "/file?path="+url.QueryEscape(root+"/data/given")))
	text, err := os.ReadFile(filepath.Join(b.options.Folder, "volumes/paths-data/data/given"))
	require.NoError(t, err)
	require.Equal(t, "in the volume", string(text))
}

func TestVolumes(t *testing.T) {
	block := `{"image":"app","env":{"PORT":"0"},"volume":[{"name":"vols-data","path":"/data/"},{"name":"vols-kept","path":"/kept","keep":true}]}`
	b := newBed(t, block)
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(b.options.Folder, "volumes", name))
		return err == nil
	}
	require.NoError(t, os.MkdirAll(filepath.Join(b.options.Folder, "volumes/vols-foreign/data"), 0o700))
	b.apply()
	other := *b
	other.request.Step = "t.container.other"
	other.inputs(`{"image":"app","env":{"PORT":"0"},"volume":[{"name":"vols-data","path":"/in"},{"name":"vols-foreign","path":"/f"}]}`)
	other.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.True(t, there("vols-data"), "the other uses it still")
	require.NoError(t, other.Destroy(t.Context(), other.request))
	require.False(t, there("vols-data"))
	require.True(t, there("vols-kept"))
	require.True(t, there("vols-foreign"))
	b.inputs(strings.ReplaceAll(block, `,"keep":true`, ""))
	b.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.False(t, there("vols-kept"), "the block says so no more")
}

// TestPortInTheWay: what listens already would answer the checks of what can't.
func TestPortInTheWay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	b := newBed(t, fmt.Sprintf(`{"image":"app","env":{"PORT":"%[1]d"},"health":{"tcp":{"port":%[1]d}}}`, port))
	b.fails(fault.Busy, fmt.Sprint(port))
	require.Empty(t, b.all())
}

func TestWhatAProcessCanNotBeGiven(t *testing.T) {
	for says, block := range map[string]string{
		"networks":     `"networks":["back"]`,
		"expose":       `"expose":[{"host":"x.test","port":1}]`,
		"limits":       `"limits":{"cpu":1}`,
		"one replica":  `"replicas":2,"port":[{"container":1}]`,
		"leave host":   `"port":[{"container":1,"host":2}]`,
		"read_only":    `"volume":[{"name":"a","path":"/a","read_only":true}]`,
		"below /":      `"volume":[{"name":"a","path":"/"}]`,
		"needs a name": `"volume":[{"name":"../a","path":"/a"}]`,
	} {
		t.Run(says, func(t *testing.T) {
			b := newBed(t, `{"image":"app",`+block+`}`)
			b.fails(fault.Invalid, says)
			_, err := b.Plan(t.Context(), b.request, event.Apply)
			require.ErrorContains(t, err, says, "a plan fails where the apply would")
		})
	}
}

// TestWhatNoApplyCanUseIsDestroyed: a block that is wrong keeps nobody from looking at what an earlier one has made, and from removing it.
func TestWhatNoApplyCanUseIsDestroyed(t *testing.T) {
	b := newBed(t, `{"image":"app","health":{"http":{"port":80,"ca":"PEM"}}}`)
	b.fails(fault.Invalid, "tls = true")
	require.NoError(t, b.Destroy(t.Context(), b.request), "there is nothing")
	require.Equal(t, event.Absent, b.observe().Presence)
	b.inputs(`{"image":"app"}`)
	b.apply()
	b.inputs(`{"image":"app","health":{"http":{"port":80,"ca":"PEM"}}}`)
	require.Equal(t, event.Present, b.observe().Presence)
	p, err := b.Plan(t.Context(), b.request, event.Destruct)
	require.NoError(t, err)
	require.Equal(t, event.ChangeDestroy, p.Change)
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.Equal(t, event.Absent, b.observe().Presence)
	b.inputs(`{"image":"app"}`)
	require.Empty(t, b.all())
}

// TestProgramsAreKnownByTheirContent: a new one of the same name is a change to come, and no drift of what runs.
func TestProgramsAreKnownByTheirContent(t *testing.T) {
	b := newBed(t, `{"image":"registry.test/team/tool:1.2","command":["sleep 1000"]}`)
	b.fails(fault.NotFound, `"tool-1.2"`, "process.programs")
	folder := t.TempDir()
	b.options.Programs = append(b.options.Programs, folder)
	put := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "new"), []byte(text), 0o700))
		require.NoError(t, os.Rename(filepath.Join(folder, "new"), filepath.Join(folder, "tool-1.2")))
	}
	put("#!/bin/sh\neval $1\n")
	o := b.apply()
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", o.ImageID)
	require.Equal(t, event.ChangeNone, b.plan().Change)
	put("#!/bin/sh\n# newer\neval $1\n")
	p := b.plan()
	require.Equal(t, event.ChangeReplace, p.Change)
	require.Equal(t, "image", p.Differences[0].Path)
	require.False(t, b.observe().Drifted)
	require.NotEqual(t, o.ImageID, b.apply().ImageID)

	put("no program at all")
	b.fails(fault.ExecutorFailed, "can't be started", "exec format error")
	require.Len(t, b.all(), 1, "the old one goes on")
	require.True(t, b.all()[0].up())
}

// TestSecretsAreNowhere but in the program's environment and in the files that it is given, which nobody else can read.
func TestSecretsAreNowhere(t *testing.T) {
	const hidden, newer = "hunter2-hunter2", "correct-horse-9"
	inputs := func(password string) string {
		return fmt.Sprintf(`{"image":"app","command":["--password=%[1]s"],"env":{"PORT":"0","PASSWORD":%[1]q},"labels":{"x":%[1]q},"files":{"/password":%[1]q}}`, password)
	}
	b := newBed(t, inputs(hidden))
	b.request.Secrets = []string{hidden}
	b.apply()
	require.NoError(t, filepath.WalkDir(b.options.Folder, func(at string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode()&0o077, at)
		if text, _ := os.ReadFile(at); filepath.Base(at) != "password" {
			require.NotContains(t, string(text), hidden, at)
		}
		return nil
	}))
	b.request.Secrets = []string{newer} // the request no longer says that the one before was one
	b.inputs(inputs(newer))
	d := b.plan().Differences
	require.Contains(t, d, event.Difference{Path: "env.PASSWORD", Change: event.ChangeUpdate, Before: "(sensitive)", After: "(sensitive)", Sensitive: true})
	require.Contains(t, d, event.Difference{Path: "files./password", Change: event.ChangeUpdate, Sensitive: true})
	for _, d := range append(d, b.observe().Differences...) {
		require.NotContains(t, d.Before+d.After, hidden)
		require.NotContains(t, d.Before+d.After, newer)
	}
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		b := newBed(t, `{"image":"app","user":"0"}`)
		b.fails(fault.Invalid, "runner run as root")
		return
	}
	b := newBed(t, `{"image":"sh","user":"nobody","command":["-c","umask; id -u; cat /etc/app.txt; echo x > /data/x; sleep 1000"],
		"files":{"/etc/app.txt":"readable\n"},"volume":[{"name":"users","path":"/data"}],"health":{"command":["test","-O","/data/x"],"interval":"100ms"}}`)
	open(t, b.options.Folder)
	b.apply()
	eventually(t, func() bool { return b.log.Has("readable") })
	require.True(t, b.log.Has("65534"))
	b.inputs(`{"image":"sh","user":"nobody-of-that-name"}`)
	b.fails(fault.Invalid, "not known on this machine")
}

// open lets others through to a folder of the test's.
func open(t *testing.T, folder string) {
	for at := folder; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		require.NoError(t, os.Chmod(at, 0o711))
	}
}

// TestOthersAreLeftAlone: replicas of another environment in the same folder stay, whatever their names.
func TestOthersAreLeftAlone(t *testing.T) {
	b := newBed(t, `{"image":"app","env":{"PORT":"0"}}`)
	other := *b
	other.request.Environment += "-too"
	other.apply()
	t.Cleanup(func() { require.NoError(t, other.Destroy(context.Background(), other.request)) })
	b.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.Equal(t, event.Absent, b.observe().Presence)
	require.False(t, other.observe().Drifted)
}

func TestUsage(t *testing.T) {
	b := newBed(t, `{"image":"sh","replicas":2,"command":["-c","while :; do :; done"]}`)
	none, err := b.Usage(t.Context(), b.request)
	require.NoError(t, err)
	require.Empty(t, none.Replicas)
	o := b.apply()
	got, err := b.Usage(t.Context(), b.request)
	require.NoError(t, err)
	require.Len(t, got.Replicas, 2)
	for i, r := range got.Replicas {
		require.Equal(t, o.Names[i], r.Name)
		require.Equal(t, "running", r.State)
		require.Positive(t, r.Memory)
		require.Positive(t, r.CPU)
	}
}

// TestFollow: what was printed before, what is printed meanwhile, and what comes from a new replica, each once.
func TestFollow(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, `,"COMPLAIN":"a complaint"`, ""))
	b.apply()
	log := &executortest.Log{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Follow(ctx, b.request, time.Time{}, func(_ time.Time, stream, line string) { log.Add(stream, stream+" "+line) })
	}()
	eventually(t, func() bool { return log.Has("serving on port") && log.Has("err a complaint") })
	for i := range 5 {
		b.from(port, "/say?text="+url.QueryEscape(fmt.Sprint("line ", i)))
	}
	eventually(t, func() bool { return log.Has("line 4") })
	since := time.Now()
	b.inputs(serving(port, `,"SAY":"the new one"`, ""))
	b.apply()
	eventually(t, func() bool { return log.Has("the new one") })
	cancel()
	require.NoError(t, <-done)
	lines := log.Take()
	for i := range 5 {
		n := 0
		for _, line := range lines {
			if line == fmt.Sprint("out line ", i) {
				n++
			}
		}
		require.Equal(t, 1, n, "%q", lines)
	}
	late := &executortest.Log{}
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		done <- b.Follow(ctx, b.request, since, func(_ time.Time, stream, line string) { late.Add(stream, line) })
	}()
	eventually(t, func() bool { return late.Has("the new one") })
	cancel()
	require.NoError(t, <-done)
	require.False(t, late.Has("line 4"))
}
