package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const hello = `template "hello" { version = "1.0.0" }
resource "noop" "it" {}
`

// base is a folder with the two repositories that mean something, one that means nothing, and one of another prefix.
func base(t *testing.T, suffix string) (dir, commit string) {
	dir = t.TempDir()
	commit = repository(t, filepath.Join(dir, "team-templates"+suffix), map[string]string{"hello/template.hcl": hello})
	repository(t, filepath.Join(dir, "team-environments"+suffix), map[string]string{"one.hcl": `environment "one" { templates = ["hello"] }` + "\n"})
	repository(t, filepath.Join(dir, "team-site"+suffix), map[string]string{"README": "x"})
	repository(t, filepath.Join(dir, "other-templates"+suffix), map[string]string{"README": "x"})
	return dir, commit
}

func names(list []bootstrap.Repository) (all []string) {
	for _, r := range list {
		all = append(all, r.Name+"="+r.Role)
	}
	return all
}

func TestRepositoriesOfAFolder(t *testing.T) {
	for _, suffix := range []string{"", ".git"} {
		dir, commit := base(t, suffix)
		list, err := bootstrap.Source{Base: "file://" + dir, Prefix: "team-"}.Find(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"team-environments=environments", "team-site=", "team-templates=templates"}, names(list))
		work := t.TempDir()
		require.NoError(t, bootstrap.Fetch(t.Context(), list, work))
		r := bootstrap.Of(list, bootstrap.Templates)
		require.Equal(t, commit, r.Commit)
		require.FileExists(t, filepath.Join(r.Dir, "hello", "template.hcl"))
		require.NoDirExists(t, filepath.Join(work, "team-site"), "what means nothing is not fetched")
	}
	_, err := bootstrap.Source{Base: "file:///nowhere/at/all"}.Find(t.Context())
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
}

// TestRepositoriesOfAServerOfGit has git's own server, which can't list.
func TestRepositoriesOfAServerOfGit(t *testing.T) {
	backend, err := exec.Command("git", "--exec-path").Output()
	require.NoError(t, err)
	dir, commit := base(t, ".git")
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"), Root: "/",
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	defer server.Close()
	list, err := bootstrap.Source{Base: server.URL, Prefix: "team-"}.Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"team-environments=environments", "team-templates=templates"}, names(list))
	require.NoError(t, bootstrap.Fetch(t.Context(), list, t.TempDir()))
	require.Equal(t, commit, bootstrap.Of(list, bootstrap.Templates).Commit)

	_, err = bootstrap.Source{Base: server.URL, Prefix: "nobody-"}.Find(t.Context())
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	require.ErrorContains(t, err, "nobody-templates")
}

func TestRepositoriesOfGitHub(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" || r.URL.Path != "/users/some%20body/repos" && r.URL.Path != "/users/some body/repos" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		var list []map[string]string
		if r.URL.Query().Get("page") == "1" {
			for i := range 100 {
				list = append(list, map[string]string{"name": fmt.Sprint("other-", i), "clone_url": "x"})
			}
		} else {
			list = append(list, map[string]string{"name": "p-templates", "clone_url": "https://example.test/p-templates.git"})
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer server.Close()
	source := bootstrap.Source{Organisation: "some body", Prefix: "p-", API: server.URL, Token: "token", HTTP: server.Client()}
	list, err := source.Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"p-templates=templates"}, names(list), "of the second page, and of a user where there is no organisation")
	source.Organisation = "nobody"
	_, err = source.Find(t.Context())
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	require.ErrorContains(t, err, `"nobody"`)
	source.Token = "wrong"
	server.Close()
	_, err = source.Find(t.Context())
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
}

func TestWithoutGit(t *testing.T) {
	dir, _ := base(t, "")
	list, err := bootstrap.Source{Base: "file://" + dir, Prefix: "team-"}.Find(t.Context())
	require.NoError(t, err)
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, bootstrap.Fetch(t.Context(), list, t.TempDir()), "git can't be run")
}

func TestATemplateThatDoesNotCompileIsNamed(t *testing.T) {
	dir := t.TempDir()
	commit := repository(t, filepath.Join(dir, "team-templates"), map[string]string{
		"good/template.hcl": strings.ReplaceAll(hello, `"hello"`, `"good"`),
		"bad/template.hcl":  "template \"bad\" { version = \"1.0.0\" }\n\nresource \"noop\" \"it\" { inputs = param.missing }\n",
	})
	list, err := bootstrap.Source{Base: "file://" + dir, Prefix: "team-"}.Find(t.Context())
	require.NoError(t, err)
	require.NoError(t, bootstrap.Fetch(t.Context(), list, t.TempDir()))
	_, err = bootstrap.Check(t.Context(), list[0], template.Kinds{"noop": noop.New().Kind()})
	require.True(t, fault.Is(err, fault.InvalidTemplate), "%v", err)
	of := fault.From(err).Diagnostics
	require.Len(t, of, 1)
	require.Equal(t, "team-templates@"+commit[:12]+":bad/template.hcl", of[0].File)
	require.Equal(t, 3, of[0].Line)
}

func TestDefinitions(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) { require.NoError(t, os.WriteFile(filepath.Join(dir, "a.hcl"), []byte(text), 0o644)) }
	r := bootstrap.Repository{Name: "team-environments", Dir: dir, Commit: "0123456789abcdef"}
	write("environment \"one\" {\n  templates = [\"hello@1.0.0\"]\n  parameters = { size = 2, names = [\"a\"] }\n  tags = [\"team:x\"]\n}\nenvironment \"two\" { templates = [\"hello\"] }\n")
	list, err := bootstrap.ReadDefinitions(r)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []string{"hello@1.0.0"}, list[0].Create.Templates)
	require.JSONEq(t, `["a"]`, string(list[0].Create.Parameters["names"]))
	require.Nil(t, list[1].Create.Parameters)

	for text, says := range map[string]string{
		"environment \"one\" {\n  templates = [\"a\"]\n  colour = 1\n}\n": "team-environments@0123456789ab:a.hcl:3",
		"environment \"one\" {\n": "team-environments@0123456789ab:a.hcl:1",
		"environment \"one\" { templates = [\"a\"] }\nenvironment \"one\" { templates = [\"a\"] }\n": "twice",
		"environment \"meta\" { templates = [\"a\"] }\n":                                             "environment zero",
		"environment \"one\" {\n  templates  = [\"a\"]\n  parameters = \"text\"\n}\n":                "parameters",
	} {
		write(text)
		_, err := bootstrap.ReadDefinitions(r)
		require.Error(t, err, text)
		text := err.Error()
		for _, d := range fault.From(err).Diagnostics {
			text += fmt.Sprintf(" %s:%d %s %s", d.File, d.Line, d.Summary, d.Detail)
		}
		require.Contains(t, text, says)
	}
}
