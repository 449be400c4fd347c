package terraform_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	args = append([]string{"-c", "user.name=test", "-c", "user.email=test@example.test", "-c", "init.defaultBranch=main"}, args...)
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

const labelled = `
variable "name" { type = string }
module "shared" {
  source = "../shared"
  name   = var.name
}
output "label" { value = module.shared.label }
`

func shared(version string) string {
	return "variable \"name\" { type = string }\noutput \"label\" { value = \"" + version + "-${var.name}\" }\n"
}

// repository has a module network, which calls the module beside it, in two versions: the tag v1 and the branch main.
func repository(t *testing.T) (dir, first, second string) {
	t.Helper()
	dir = write(t, map[string]string{
		"network/main.tf": labelled, "network/.terraform.lock.hcl": "", "shared/main.tf": shared("one"), "unused/readme": "x", "broken/main.tf": "variable \"a\" {\n",
	})
	git(t, dir, "init", "--quiet")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "--quiet", "-m", "one")
	git(t, dir, "tag", "v1")
	first = git(t, dir, "rev-parse", "HEAD")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shared", "main.tf"), []byte(shared("two")), 0o600))
	git(t, dir, "commit", "--quiet", "-am", "two")
	return dir, first, git(t, dir, "rev-parse", "HEAD")
}

func fetching(t *testing.T, cache string) template.Kinds {
	t.Helper()
	k := terraform.New(terraform.Options{Fetch: template.NewModules(cache).Fetch}).Kind()
	return template.Kinds{k.Name: k}
}

func using(t *testing.T, source string) string {
	t.Helper()
	return write(t, map[string]string{"template.hcl": "template \"uses\" {\n  version = \"1.0.0\"\n}\nresource \"terraform\" \"network\" {\n  source = \"" +
		source + "\"\n  inputs = { name = \"x\" }\n}\noutput \"label\" {\n  value = resource.terraform.network.outputs.label\n}\n"})
}

func TestAModuleFromGit(t *testing.T) {
	repo, first, second := repository(t)
	cache := t.TempDir()
	for _, c := range []struct{ ref, commit, label string }{{"?ref=v1", first, "one-x"}, {"", second, "two-x"}, {"?ref=" + first, first, "one-x"}} {
		t.Run(c.ref, func(t *testing.T) {
			source := "git::file://" + repo + "//network" + c.ref
			made, err := template.Compile(nil, using(t, source), fetching(t, cache))
			require.NoError(t, err)
			block := made.Block("resource", "terraform", "network")
			require.Equal(t, c.commit, block.Commit)
			require.Contains(t, block.Inputs, "name")
			packed, err := made.PackFolder(block.Bundle)
			require.NoError(t, err)
			require.Equal(t, block.BundleHash, packed.Hash)
			files := filepath.Join(t.TempDir(), packed.Hash)
			require.NoError(t, bundle.Unpack(packed, files))

			s := newStage(t, files, source, map[string]any{"name": "x"})
			outputs, err := s.Apply(t.Context(), s.request)
			require.NoError(t, err)
			require.JSONEq(t, `"`+c.label+`"`, string(outputs["label"].Value))
		})
	}
}

// TestAnEnvironmentKeepsTheCommit: the branch has moved on and the repository is gone, but the kept template is what it was.
func TestAnEnvironmentKeepsTheCommit(t *testing.T) {
	repo, _, second := repository(t)
	kinds := fetching(t, t.TempDir())
	dir := using(t, "git::file://"+repo+"//network?ref=main")
	made, err := template.Compile(nil, dir, kinds)
	require.NoError(t, err)
	archive, err := made.Archive()
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(filepath.Join(repo, "shared", "main.tf"), []byte(shared("three")), 0o600))
	git(t, repo, "commit", "--quiet", "-am", "three")
	later, err := template.Compile(nil, dir, kinds)
	require.NoError(t, err)
	require.NotEqual(t, made.Hash, later.Hash, "what is fetched counts")
	require.NoError(t, os.RemoveAll(repo))

	again, err := template.FromArchive(archive, made.Ref(), t.TempDir(), fetching(t, t.TempDir()))
	require.NoError(t, err)
	require.Equal(t, made.Hash, again.Hash)
	block := again.Block("resource", "terraform", "network")
	require.Equal(t, second, block.Commit)
	require.Equal(t, made.Block("resource", "terraform", "network").BundleHash, block.BundleHash)
}

func TestModulesFromGitThatCantBeHad(t *testing.T) {
	repo, _, _ := repository(t)
	cache := t.TempDir()
	for name, c := range map[string]struct{ source, says string }{
		"no repository": {"git::file:///nowhere//network", "nothing can be fetched from file:///nowhere"},
		"no ref":        {"git::file://" + repo + "//network?ref=v9", `no branch, tag or commit \"v9\"`},
		"no folder":     {"git::file://" + repo + "//nowhere?ref=v1", `no folder \"nowhere\"`},
		"no module":     {"git::file://" + repo + "//unused", "with Terraform files"},
		"no terraform":  {"git::file://" + repo + "//broken", "Unclosed configuration block"},
		"other option":  {"git::file://" + repo + "//network?depth=1", `option \"depth\"`},
		"leaves":        {"git::file://" + repo + "//../network", "leaves"},
		"no git":        {"https://example.test/modules.git//network", "write git:: before"},
		"no address":    {"git::modules//network", "not the address of a git repository"},
		"option as ref": {"git::file://" + repo + "//network?ref=--upload-pack", "can't be the name"},
		"absolute":      {"/etc", "or in a git repository"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template.Compile(nil, using(t, c.source), fetching(t, cache))
			found := fault.From(err)
			require.Equal(t, fault.InvalidTemplate, found.Code, "%v", err)
			require.Len(t, found.Diagnostics, 1)
			d := found.Diagnostics[0]
			require.Equal(t, []any{"template.hcl", 5}, []any{d.File, d.Line})
			require.Contains(t, d.Snippet, "source = ")
			require.Contains(t, strings.ReplaceAll(d.Detail+d.Summary, `"`, `\"`), c.says)
		})
	}
}

// TestPasswordsOfRepositoriesAreNotShown neither in errors nor in what is kept beside the files.
func TestPasswordsOfRepositoriesAreNotShown(t *testing.T) {
	_, err := template.Compile(nil, using(t, "git::https://user:open-sesame@127.0.0.1:1/modules.git//network"), fetching(t, t.TempDir()))
	d := fault.From(err).Diagnostics[0]
	require.NotContains(t, d.Detail+d.Summary, "open-sesame")
}

func TestARunnerFindsTheModuleByItsSourceAlone(t *testing.T) {
	repo, _, _ := repository(t)
	source := "git::file://" + repo + "//network?ref=v1"
	s := newStage(t, "testdata/modules", source, nil)
	_, err := s.Plan(t.Context(), s.request, event.Apply)
	require.Equal(t, fault.NotFound, fault.From(err).Code, "another bundle has no such module: %v", err)
}
