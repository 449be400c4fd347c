package template

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func simple(name, version string) string {
	return "template \"" + name + "\" {\n  version = \"" + version + "\"\n}\n"
}

func open(t *testing.T, dir string) *Catalogue {
	t.Helper()
	c, err := OpenCatalogue(dir, testKinds(), nil)
	require.NoError(t, err)
	return c
}

func TestCatalogueFindsVersions(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "notes/template.hcl", simple("notes", "1.9.0"))
	write(t, dir, "old/notes-10/template.hcl", simple("notes", "1.10.0"))
	write(t, dir, "pre/template.hcl", simple("notes", "1.10.0-rc.1"))
	write(t, dir, "notes/modules/inner/template.hcl", simple("inner", "1.0.0"))
	write(t, dir, ".hidden/template.hcl", simple("hidden", "1.0.0"))
	write(t, dir, "broken/template.hcl", simple("broken", "1.0.0")+"resource \"box\" \"a\" {}\n")
	c := open(t, dir)
	ctx := context.Background()
	newest, err := c.Get(ctx, "notes")
	require.NoError(t, err)
	require.Equal(t, "1.10.0", newest.Version)
	older, err := c.Get(ctx, "notes@1.9.0")
	require.NoError(t, err)
	require.Equal(t, "1.9.0", older.Version)
	_, err = c.Get(ctx, "notes@2.0.0")
	requireFault(t, err, fault.UnknownTemplate, "1.10.0, 1.10.0-rc.1, 1.9.0")
	_, err = c.Get(ctx, "note")
	requireFault(t, err, fault.UnknownTemplate, `Did you mean "notes"?`, "broken, notes")
	_, err = c.Get(ctx, "broken")
	f := requireFault(t, err, fault.InvalidTemplate)
	require.Equal(t, "broken/template.hcl", f.Diagnostics[0].File)
	list, err := c.List(ctx)
	require.NoError(t, err)
	var got []string
	for _, l := range list {
		got = append(got, l.Folder+" "+l.Name+"@"+l.Version)
	}
	require.Equal(t, []string{"broken broken@1.0.0", "old/notes-10 notes@1.10.0", "pre notes@1.10.0-rc.1", "notes notes@1.9.0"}, got)
}

// TestCatalogueBehindALink: what brings new versions puts them beside the old ones, and has a link lead to them.
func TestCatalogueBehindALink(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "first/notes/template.hcl", simple("notes", "1.0.0"))
	write(t, dir, "second/notes/template.hcl", simple("notes", "2.0.0"))
	link := filepath.Join(dir, "current")
	require.NoError(t, os.Symlink("first", link))
	c := open(t, link)
	got, err := c.Get(context.Background(), "notes")
	require.NoError(t, err)
	require.Equal(t, "1.0.0", got.Version)

	require.NoError(t, os.Symlink("second", link+".new"))
	require.NoError(t, os.Rename(link+".new", link))
	got, err = c.Get(context.Background(), "notes")
	require.NoError(t, err)
	require.Equal(t, "2.0.0", got.Version)
}

func TestTheSameVersionTwice(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/template.hcl", simple("notes", "1.0.0"))
	write(t, dir, "b/template.hcl", simple("notes", "1.0.0"))
	c := open(t, dir)
	_, err := c.Get(context.Background(), "notes")
	requireFault(t, err, fault.InvalidTemplate, "a, b")
	list, err := c.List(context.Background())
	require.NoError(t, err)
	for _, l := range list {
		require.Nil(t, l.Template)
		require.NotNil(t, l.Err)
	}
}

func TestCatalogueSeesChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "notes/template.hcl", simple("notes", "1.0.0"))
	write(t, dir, "notes/data.txt", "one")
	c := open(t, dir)
	ctx := context.Background()
	first, err := c.Get(ctx, "notes")
	require.NoError(t, err)
	same, err := c.Get(ctx, "notes")
	require.NoError(t, err)
	require.Same(t, first, same)
	// The same size and, as on a file system with coarse time, the same time: only the content tells.
	data := filepath.Join(dir, "notes", "data.txt")
	before, err := os.Stat(data)
	require.NoError(t, err)
	write(t, dir, "notes/data.txt", "two")
	require.NoError(t, os.Chtimes(data, before.ModTime(), before.ModTime()))
	changed, err := c.Get(ctx, "notes")
	require.NoError(t, err)
	require.NotEqual(t, first.Hash, changed.Hash)
	// Once the times are old they are trusted.
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"template.hcl", "data.txt"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, "notes", name), old, old))
	}
	settled, err := c.Get(ctx, "notes")
	require.NoError(t, err)
	again, err := c.Get(ctx, "notes")
	require.NoError(t, err)
	require.Same(t, settled, again)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "notes")))
	_, err = c.Get(ctx, "notes")
	requireFault(t, err, fault.UnknownTemplate, "There are no templates")
	_, err = OpenCatalogue(filepath.Join(dir, "absent"), testKinds(), nil)
	requireFault(t, err, fault.NotFound)
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.test"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, "init", "-q", "-b", "main")
	write(t, dir, "notes/template.hcl", simple("notes", "1.0.0"))
	run(t, dir, "add", ".")
	run(t, dir, "commit", "-qm", "one")
	return dir
}

func TestCommitIsRecorded(t *testing.T) {
	dir := repository(t)
	c := open(t, dir)
	ctx := context.Background()
	commit := func() string {
		got, err := c.Get(ctx, "notes")
		require.NoError(t, err)
		return got.Commit
	}
	head := run(t, dir, "rev-parse", "HEAD")
	require.Equal(t, head, commit())
	write(t, dir, "elsewhere.txt", "x")
	require.Equal(t, head, commit())
	write(t, dir, "notes/more.txt", "x")
	require.Equal(t, head+"-dirty", commit())
	run(t, dir, "add", ".")
	run(t, dir, "commit", "-qm", "two")
	require.Equal(t, run(t, dir, "rev-parse", "HEAD"), commit())
	require.NotEqual(t, head, commit())
}

func TestFetchGit(t *testing.T) {
	remote := repository(t)
	url := "file://" + remote
	dir := filepath.Join(t.TempDir(), "clone")
	ctx := context.Background()
	version := func(name string) string {
		got, err := open(t, dir).Get(ctx, name)
		require.NoError(t, err)
		return got.Version
	}
	require.NoError(t, FetchGit(ctx, url, "", dir))
	require.Equal(t, "1.0.0", version("notes"))
	run(t, remote, "tag", "v1")
	write(t, remote, "notes/template.hcl", simple("notes", "2.0.0"))
	run(t, remote, "commit", "-qam", "two")
	require.NoError(t, FetchGit(ctx, url, "", dir))
	require.Equal(t, "2.0.0", version("notes"))
	require.NoError(t, FetchGit(ctx, url+"?ref=v1", "", dir))
	require.Equal(t, "1.0.0", version("notes"))
	require.NoError(t, FetchGit(ctx, url, "main", dir))
	require.Equal(t, "2.0.0", version("notes"))
	require.NoError(t, FetchGit(ctx, url, run(t, remote, "rev-parse", "v1"), dir))
	require.Equal(t, "1.0.0", version("notes"))

	requireFault(t, FetchGit(ctx, url, "absent", dir), fault.NotFound, "absent")
	requireFault(t, FetchGit(ctx, url, "--upload-pack=touch", dir), fault.Invalid)
	requireFault(t, FetchGit(ctx, "--upload-pack=touch", "", dir), fault.Invalid)
	requireFault(t, FetchGit(ctx, "ext::sh -c true", "", dir), fault.Invalid)
	gone := FetchGit(ctx, "file:///nowhere/at/all.git", "", filepath.Join(t.TempDir(), "x"))
	require.Equal(t, fault.Retry, requireFault(t, gone, fault.Unavailable).Disposition)
	other := t.TempDir()
	write(t, other, "precious.txt", "x")
	requireFault(t, FetchGit(ctx, url, "", other), fault.Exists)
}

func TestSplitGitURL(t *testing.T) {
	for address, want := range map[string][3]string{
		"https://example.test/c.git?ref=v1": {"https://example.test/c.git", "v1", "git"},
		"git@example.test:team/c.git":       {"git@example.test:team/c.git", "", "git"},
		"file:///srv/c":                     {"file:///srv/c", "", "git"},
		"./templates":                       {"./templates", "", ""},
		"/srv/templates?ref=x":              {"/srv/templates?ref=x", "", ""},
		"ext::sh -c x":                      {"ext::sh -c x", "", ""},
	} {
		repository, ref, ok := SplitGitURL(address)
		require.Equal(t, want, [3]string{repository, ref, map[bool]string{true: "git"}[ok]}, address)
	}
	require.Equal(t, "https://example.test/c", redact("https://user:token@example.test/c"))
}
