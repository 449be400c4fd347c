package bootstrap

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) {
	for _, location := range []string{"local", "kubernetes"} {
		if !asked(location) {
			fmt.Fprintf(os.Stderr, "NOT RUN: the bootstrap at the location %s (make test-bootstrap, or VIVARIUM_BOOTSTRAP=local,kubernetes)\n", location)
		}
	}
	servers.Main(m)
}

// patience is for a machine that has much else to do.
const patience = 10 * time.Minute

// moments are lines at which a run is killed, in whatever order they come: while a server starts, when Vault's keys were just kept, when the
// service was just started, and while the store is handed over.
var moments = []string{"running    container.broker", "complete   vault_cluster.vault", "complete   container.server", "Handover"}

// all are those of the long form, VIVARIUM_FAULTS=long. What comes together with another one may be missed, and what takes no time is never said to run.
var all = append([]string{
	"Repositories", "deploying  meta", "running    container.vault", "running    vault_cluster.vault", "complete   vault_certificate.broker",
	"running    container.consul", "running    consul_cluster.consul", "complete   consul_cluster.consul", "complete   container.broker",
	"complete   rabbitmq_cluster.broker", "complete   vault_rabbitmq.broker", "running    container.server", "running    container.runner",
	"deployed   meta", "The service has ", "deploying  greeting", "deployed   greeting",
}, moments...)

// place is one with a program that was built for it, in a folder whose name is short enough for what makes sockets in it.
func place(t *testing.T, ctx context.Context) *Place {
	t.Helper()
	require.NoError(t, servers.ReadSources(ctx))
	dir, err := os.MkdirTemp("", "vivarium-bootstrap-test-")
	require.NoError(t, err)
	program := filepath.Join(dir, "vivarium")
	cmd := exec.Command("go", "build", "-trimpath", "-o", program, "../../cmd/vivarium")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // for an image with nothing else in it
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	p, err := New(ctx, dir, program, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { p.end(t) })
	return p
}

// killed runs the bootstrap until it prints the text, and kills it there; without the text it ends by itself.
func killed(t *testing.T, cmd *exec.Cmd, at string) (out string, ended error) {
	t.Helper()
	if at == "" {
		_, out, ended = killedAt(t, cmd)
		return out, ended
	}
	_, out, ended = killedAt(t, cmd, at)
	return out, ended
}

// killedAt is the same with several texts, of which it tells the one that was printed, "" for none. How long the run took is logged.
func killedAt(t *testing.T, cmd *exec.Cmd, texts ...string) (at, out string, ended error) {
	t.Helper()
	var b strings.Builder
	begun := time.Now()
	at, ended = RunUntil(cmd, &b, texts...)
	t.Logf("a run of %s, killed at %q", time.Since(begun).Round(100*time.Millisecond), at)
	return at, b.String(), ended
}

// TestBootstrapIsKilledAndRunAgain is the whole of it: raised from configuration repositories, killed at several moments, raised
// again, and destroyed, with nothing left and no secret where none may be.
func TestBootstrapIsKilledAndRunAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real RabbitMQ, Consul and Vault")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := place(t, ctx)
	p.base = served(t, filepath.Join(p.Dir, "git"))
	p.lives(t, ctx, func() { p.loses(t) })
}

// served is git's own server, with the repositories below a folder.
func served(t *testing.T, dir string) (address string) {
	t.Helper()
	programs, err := exec.Command("git", "--exec-path").Output()
	require.NoError(t, err)
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"), Root: "/",
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	t.Cleanup(server.Close)
	return server.URL
}

// lives is the life of a place; lose is the end of its machine, after which the machine is there again.
func (p *Place) lives(t *testing.T, ctx context.Context, lose func()) {
	t.Helper()
	out, err := p.Bootstrap(ctx, "--plan").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Nothing was done.")
	require.NoDirExists(t, p.Work())
	require.NoFileExists(t, p.Keys())

	printed := p.raised(t, ctx)
	p.shows(t, ctx)
	text, err := killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, "run again, it finds everything there: %s", text)
	require.Contains(t, text, Further+" is deployed already")
	p.keepsSecrets(t, printed+text)
	p.refuses(t, ctx)

	lose()
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, "after a restart of the machine: %s", text)
	if p.engine == nil { // which starts by itself what ran
		require.Contains(t, text, "is started again")
		require.NotRegexp(t, "(waiting|running|queued) +(vault|consul|rabbitmq)_", text, "what is in servers that are gone is not looked at: it could only be waited for")
	}
	p.shows(t, ctx)

	out, err = p.Command(ctx, "env", "update", "meta", "--param", "log_level=debug", "--wait", "--data-dir", p.Data()).CombinedOutput()
	require.NoError(t, err, "the service and its runner replace themselves: %s", out)
	require.Contains(t, string(out), "complete   container.server")
	require.Contains(t, string(out), "complete   container.runner")
	for _, alone := range []string{"container.consul", "container.vault", "container.broker", "container.mapper"} {
		require.NotContains(t, string(out), alone, "what is not concerned is left alone")
	}
	p.shows(t, ctx)
	p.changes(t, ctx)
	p.renews(t, ctx)
	if p.engine != nil {
		p.upgrades(t, ctx)
	}

	out, err = p.destroyFurther(ctx).CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err = killed(t, p.Destroy(ctx), "complete   container.consul")
	require.Error(t, err, text)
	p.leavesNothing(t, ctx)
	require.NoDirExists(t, p.Work())
}

// goes is the end of a place: the further environment, and all that was raised.
func (p *Place) goes(t *testing.T, ctx context.Context) {
	t.Helper()
	out, err := p.destroyFurther(ctx).CombinedOutput()
	require.NoError(t, err, "%s", out)
	p.leavesNothing(t, ctx)
}

func (p *Place) destroyFurther(ctx context.Context) *exec.Cmd {
	return p.Command(ctx, "env", "destroy", Further, "--yes", "--wait", "--data-dir", p.Data())
}

// leavesNothing destroys what was raised.
func (p *Place) leavesNothing(t *testing.T, ctx context.Context) {
	t.Helper()
	text, err := killed(t, p.Destroy(ctx), "")
	require.NoError(t, err, text)
	left, err := p.Left(ctx)
	require.NoError(t, err)
	require.Empty(t, left)
}

// raised is a bootstrap that is killed at every moment, and run again to its end.
func (p *Place) raised(t *testing.T, ctx context.Context) (printed string) {
	t.Helper()
	tried := moments
	if os.Getenv("VIVARIUM_FAULTS") == "long" {
		tried = all
	}
	for left := slices.Clone(tried); ; {
		at, text, err := killedAt(t, p.Bootstrap(ctx), left...)
		printed += text
		if at != "" {
			left = slices.DeleteFunc(left, func(moment string) bool { return moment == at })
			continue
		}
		require.NoError(t, err, printed)
		require.Contains(t, text, "no change")
		t.Logf("it was not killed at %q", left)
		for _, moment := range moments { // of two servers that begin together a run is killed at the one, and the other may be there the next time
			ended := strings.Replace(moment, "running    ", "complete   ", 1)
			if slices.Contains(tried, ended) && !slices.Contains(left, ended) {
				continue
			}
			require.NotContains(t, left, moment, printed)
		}
		return printed
	}
}

// loses ends all processes as the end of the machine would.
func (p *Place) loses(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		left, err := p.left()
		require.NoError(t, err)
		for pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have gone by itself
		}
		return len(left) == 0
	}, time.Minute, 50*time.Millisecond)
}

// shows looks with the API, as anybody would.
func (p *Place) shows(t *testing.T, ctx context.Context) {
	t.Helper()
	out, err := p.Command(ctx, "env", "list", "--server", p.API(), "-o", "json").Output()
	require.NoError(t, err)
	var list []struct{ Name, Status string }
	require.NoError(t, json.Unmarshal(out, &list), "%s", out)
	var names []string
	for _, e := range list {
		names = append(names, e.Name+" "+e.Status)
	}
	require.ElementsMatch(t, []string{"meta deployed", Further + " deployed"}, names)
	found, err := os.ReadFile(filepath.Join(p.Data(), "server.json"))
	require.NoError(t, err)
	stranger := p.Command(ctx, "env", "plan", "meta", "--server", p.API(), "--bus", fmt.Sprintf("amqps://somebody:secret@127.0.0.1:%d/vivarium", p.ports[11]))
	out, err = stranger.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "shows a certificate that can't be verified", "who does not know the authority tells nobody a password")
	p.trusts(t, ctx)
	require.Contains(t, string(found), "amqps://approle-", "the broker's credentials are issued by Vault, and it has a certificate of its authority")
	out, err = p.Command(ctx, "env", "plan", "meta", "--data-dir", p.Data(), "--detailed-exitcode").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// secrets are those in the file of the keys.
func (p *Place) secrets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(p.Keys())
	require.NoError(t, err)
	var keys struct {
		Key   string `json:"cluster_key"`
		Vault struct {
			Unseal []string `json:"unseal_keys"`
			Root   string   `json:"root_token"`
		} `json:"vault"`
	}
	require.NoError(t, json.Unmarshal(text, &keys))
	return append([]string{keys.Key, keys.Vault.Root}, keys.Vault.Unseal...)
}

// keepsSecrets looks through all files and all that was printed.
func (p *Place) keepsSecrets(t *testing.T, printed string) {
	t.Helper()
	info, err := os.Stat(p.Keys())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	secrets := p.secrets(t)
	for _, s := range secrets {
		require.Greater(t, len(s), 16)
		require.NotContains(t, printed, s)
	}
	require.Greater(t, p.search(t, secrets), 20)
}

// search looks through all files of the work folder, and tells how many there are.
func (p *Place) search(t *testing.T, secrets []string) (files int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(p.Work(), func(at string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(at)
		for _, s := range secrets {
			if bytes.Contains(text, []byte(s)) {
				return fmt.Errorf("%s has a key in clear", at)
			}
		}
		return err
	}))
	return files
}

// refuses are what would be mistakes.
func (p *Place) refuses(t *testing.T, ctx context.Context) {
	t.Helper()
	for says, args := range map[string][]string{
		"that are not given":         {"--keys", filepath.Join(p.Dir, "others.json")},
		"is that of another":         {"--repository-prefix", "other-"},
		"further environments":       {"--destroy"},
		"there is none: name it":     {"--location", "kube-context", "--work", filepath.Join(p.Dir, "w3")},
		"full is for a cluster":      {"--profile", "full"},
		"no folder that can be read": {"--plan", "--work", filepath.Join(p.Dir, "w2"), "--git-base", "file:///nowhere/at/all"},
	} {
		out, err := p.Bootstrap(ctx, args...).CombinedOutput()
		require.Error(t, err, "%v: %s", args, out)
		require.Contains(t, string(out), says, "%v", args)
	}
	p.makesRoomForNobody(t, ctx)
}

// makesRoomForNobody: a second bootstrap of this machine, that wants the same ports, ends by itself and leaves nothing.
func (p *Place) makesRoomForNobody(t *testing.T, ctx context.Context) {
	t.Helper()
	second := []string{"--work", filepath.Join(p.Dir, "second"), "--keys", filepath.Join(p.Dir, "second.json")}
	out, err := p.Bootstrap(ctx, second...).CombinedOutput()
	require.Error(t, err, "%s", out)
	if p.engine != nil {
		require.Contains(t, string(out), "has an environment \"meta\" already, which is not this work folder's")
	} else {
		require.Contains(t, string(out), "is another program's on this machine")
		require.Contains(t, string(out), "run the same command again")
	}
	out, err = p.Bootstrap(ctx, append(second, "--destroy")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoDirExists(t, second[1])
}

// end ends whatever is left when the test has failed, and removes the folder.
func (p *Place) end(t *testing.T) {
	ctx := context.Background()
	if t.Failed() {
		_ = p.Bootstrap(ctx).Run()      // so that somebody is there to destroy the other
		_ = p.destroyFurther(ctx).Run() // it may not be there
		out, err := p.Destroy(ctx).CombinedOutput()
		t.Logf("destroying what is left: %v\n%s", err, out)
	}
	left, err := p.Left(ctx)
	require.NoError(t, err)
	if len(left) > 0 {
		t.Errorf("something is left of %s: %q", p.Dir, left)
		return
	}
	for _, small := range []string{p.disk, p.safe} {
		if small != "" {
			require.NoError(t, syscall.Unmount(small, syscall.MNT_DETACH))
		}
	}
	require.NoError(t, os.RemoveAll(p.Dir))
}
