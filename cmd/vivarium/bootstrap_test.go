package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repositoryOf makes a repository of git with one file, and returns its commit.
func repositoryOf(t *testing.T, dir, file, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "."}, {"-c", "user.name=test", "-c", "user.email=test@example.test", "commit", "--quiet", "-m", "begin"},
	} {
		out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	out, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// TestABootstrapRefusesBadInputBeforeAnythingIsChanged: each with what is wrong, where, and what to do.
func TestABootstrapRefusesBadInputBeforeAnythingIsChanged(t *testing.T) {
	github := httptest.NewServer(http.NotFoundHandler())
	defer github.Close()
	base := t.TempDir()
	commit := repositoryOf(t, filepath.Join(base, "bad-templates"), "bad/template.hcl", "template \"bad\" { version = \"1.0.0\" }\n\nresource \"noop\" \"it\" { inputs = param.missing }\n")
	wanted := repositoryOf(t, filepath.Join(base, "lost-environments"), "one.hcl", "environment \"one\" { templates = [\"nobody@1.0.0\"] }\n")
	syntax := repositoryOf(t, filepath.Join(base, "torn-environments"), "one.hcl", "environment \"one\" {\n  templates = [\n")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"wrong organisation":             {[]string{"--github-organisation", "nobody"}, []string{`no organisation and no user "nobody"`, "--github-organisation", "GITHUB_TOKEN"}},
		"template that does not compile": {[]string{"--git-base", "file://" + base, "--repository-prefix", "bad-"}, []string{"bad-templates@" + commit[:12] + ":bad/template.hcl line 3", "nothing was changed"}},
		"definition without a template":  {[]string{"--git-base", "file://" + base, "--repository-prefix", "lost-"}, []string{`"one"`, "lost-environments", wanted, `"nobody"`}},
		"definition that can't be read":  {[]string{"--git-base", "file://" + base, "--repository-prefix", "torn-"}, []string{"torn-environments@" + syntax[:12] + ":one.hcl line "}},
		"no such folder":                 {[]string{"--git-base", "file:///nowhere/at/all"}, []string{"--git-base", "no folder that can be read"}},
		"no such server":                 {[]string{"--git-base", "http://127.0.0.1:1/team"}, []string{"--git-base", "--repository-prefix"}},
		"update of a plan":               {[]string{"--plan", "--update"}, []string{"--update"}},
	} {
		code, said, dir := bootstrapped(t, map[string]string{"GITHUB_API_URL": github.URL}, c.args...)
		require.NotEqual(t, exitOK, code, name)
		for _, text := range c.says {
			require.Contains(t, said, text, name)
		}
		require.NoDirExists(t, filepath.Join(dir, "work", "data"), name)
		require.NoDirExists(t, filepath.Join(dir, "work", "site"), name)
	}
	code, said, _ := bootstrapped(t, map[string]string{"GITHUB_API_URL": "http://127.0.0.1:1"}, "--github-organisation", "team")
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "GitHub's API can't be reached")
	require.Contains(t, said, goesOn, "what may be over the next time")
	t.Setenv("PATH", t.TempDir())
	code, said, _ = bootstrapped(t, nil, "--git-base", "https://git.example.test/team")
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "there is none in PATH")
	require.Contains(t, said, "apt-get install git")
}

// bootstrapped runs one in a folder of its own.
func bootstrapped(t *testing.T, variables map[string]string, args ...string) (code int, said, dir string) {
	t.Helper()
	f := newFake(variables)
	dir = t.TempDir()
	all := []string{"bootstrap", "--location", "process", "--work", filepath.Join(dir, "work"), "--keys", filepath.Join(dir, "keys.json")}
	code = f.run(context.Background(), append(all, args...))
	http.DefaultClient.CloseIdleConnections()
	return code, f.stdout.String() + f.stderr.String(), dir
}
