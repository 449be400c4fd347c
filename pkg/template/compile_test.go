package template

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestFiveMistakesAreFive(t *testing.T) {
	_, err := Compile(nil, "testdata/golden/five", testKinds())
	f := requireFault(t, err, fault.InvalidTemplate)
	require.Equal(t, fault.Reject, f.Disposition)
	var at []string
	for _, d := range f.Diagnostics {
		at = append(at, d.File+":"+string(rune('0'+d.Line)))
		require.NotEmpty(t, d.Snippet)
		require.Positive(t, d.Column)
	}
	require.Equal(t, []string{"more.hcl:3", "more.hcl:6", "more.hcl:9", "template.hcl:6", "template.hcl:7"}, at)
	require.Contains(t, f.Message, "5 mistakes")
}

func TestACycleNamesItsNodes(t *testing.T) {
	_, err := compileText(head + `
		resource "box" "a" { image = resource.box.b.outputs.url }
		resource "box" "b" { image = resource.box.c.outputs.url }
		resource "box" "c" { image = resource.box.a.outputs.url }`)
	requireFault(t, err, fault.InvalidTemplate, "resource.box.a -> resource.box.b -> resource.box.c -> resource.box.a")
	_, err = compileText(head + "locals {\n a = local.b\n b = local.a\n}")
	requireFault(t, err, fault.InvalidTemplate, "local.a -> local.b -> local.a")
}

func TestATemplateStaysWhatItWas(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "template.hcl", head+"output \"o\" { value = file(\"data.txt\") }\n")
	write(t, dir, "data.txt", "one")
	write(t, dir, ".hidden", "not part of it")
	write(t, dir, ".terraform/cache", "neither")
	first, err := Compile(os.DirFS(dir), dir, testKinds())
	require.NoError(t, err)
	write(t, dir, ".hidden", "changed")
	write(t, dir, ".terraform/cache", "changed")
	same, err := Compile(os.DirFS(dir), dir, testKinds())
	require.NoError(t, err)
	require.Equal(t, first.Hash, same.Hash)
	write(t, dir, "data.txt", "two")
	other, err := Compile(nil, dir, testKinds())
	require.NoError(t, err)
	require.NotEqual(t, first.Hash, other.Hash)
	require.Len(t, first.Hash, 64)
	require.Equal(t, []Source{{Name: "template.hcl", Content: head + "output \"o\" { value = file(\"data.txt\") }\n"}}, first.Sources())
	v, diags := first.OutputValue("o").Value.Value(first.OutputValue("o").Value.Needs.Context(compileScope{}, first.Functions()))
	require.False(t, diags.HasErrors())
	require.Equal(t, "one", v.AsString())
	_, err = json.Marshal(first.Summary())
	require.NoError(t, err)
}

func TestLinksStayInTheFolder(t *testing.T) {
	outer := t.TempDir()
	write(t, outer, "secret.txt", "secret")
	dir := filepath.Join(outer, "t")
	write(t, dir, "template.hcl", head+"output \"o\" { value = file(\"inside.txt\") }\n")
	write(t, dir, "data.txt", "data")
	require.NoError(t, os.Symlink("data.txt", filepath.Join(dir, "inside.txt")))
	_, err := Compile(nil, dir, testKinds())
	require.NoError(t, err)

	require.NoError(t, os.Symlink("../secret.txt", filepath.Join(dir, "outside.txt")))
	_, err = Compile(os.DirFS(dir), dir, testKinds())
	requireFault(t, err, fault.InvalidTemplate, "outside.txt", "leaves the template's folder")
	require.NoError(t, os.Remove(filepath.Join(dir, "outside.txt")))
	require.NoError(t, os.Symlink(outer, filepath.Join(dir, "modules")))
	_, err = Compile(nil, dir, testKinds())
	requireFault(t, err, fault.InvalidTemplate, "modules", "leaves the template's folder")
}

func TestWhatIsNotThere(t *testing.T) {
	_, err := Compile(nil, filepath.Join(t.TempDir(), "absent"), testKinds())
	requireFault(t, err, fault.InvalidTemplate, "can't be read")
	_, err = Compile(fstest.MapFS{}, "", testKinds())
	requireFault(t, err, fault.InvalidTemplate, "No template block")
	_, err = compileText("template \"t\" {}\n")
	requireFault(t, err, fault.InvalidTemplate, `"version" is required`)
	_, err = compileText("a = 1\n" + head)
	requireFault(t, err, fault.InvalidTemplate, "only blocks stand")
}

func TestDeepNestingAndHugeNumbersAreRefused(t *testing.T) {
	for name, source := range map[string]string{
		"parens":  "locals { a = " + strings.Repeat("(", 100_000) + " }",
		"unary":   "locals { a = " + strings.Repeat("!", 100_000) + "true }",
		"ternary": "locals { a = " + strings.Repeat("true ? 1 : ", 100_000) + "1 }",
		"strings": "locals { a = " + strings.Repeat("\"${", 100_000) + " }",
		"number":  "locals { a = \"${1e999999999}\" }",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compileText(head + source)
			requireFault(t, err, fault.InvalidTemplate)
		})
	}
	mustCompile(t, head+"locals {\n"+strings.Repeat("# ((((((( {{{{ ---- ???? !!!!\n", 1000)+"a = 1e9\n}")
}

func TestLargeFilesAreReadInParts(t *testing.T) {
	var b strings.Builder
	b.WriteString(head)
	const blocks = 13_000 // just enough for three parts
	for i := range blocks {
		fmt.Fprintf(&b, "resource \"box\" \"r%d\" {\n  image = \"x\"\n}\n", i)
	}
	require.Greater(t, b.Len(), 2*partSize)
	require.Greater(t, len(parseParts([]byte(b.String()), "x.hcl")), 1)
	lines := strings.Count(b.String(), "\n")
	_, err := compileText(b.String() + "parameter \"p\" { type = strin }\n")
	f := requireFault(t, err, fault.InvalidTemplate)
	require.Equal(t, lines+1, f.Diagnostics[0].Line)
	require.Contains(t, f.Diagnostics[0].Snippet, "strin")
	typed := mustCompile(t, b.String()+"parameter \"p\" { type = list( string ) }\n")
	require.Equal(t, "list( string )", typed.Parameters()[0].Type)
	require.Len(t, typed.Blocks(), blocks)
	// A heredoc full of what looks like ends of blocks is taken as a whole.
	script := head + "resource \"box\" \"a\" {\n  image = <<EOT\n" + strings.Repeat("f() { # "+strings.Repeat("x", 1000)+"\n}\n", partSize/500) + "EOT\n}\n"
	require.Nil(t, parseParts([]byte(script), "x.hcl"))
	require.Len(t, mustCompile(t, script).Blocks(), 1)
}

func TestSensitiveDetailsAreWithheld(t *testing.T) {
	_, err := compileText(head + `
		output "o" {
			value = parseint(sensitive("tell-nobody"), 10)
		}
		resource "box" "a" {
			for_each = sensitive(toset(["x"]))
			image    = "x"
		}`)
	f := requireFault(t, err, fault.InvalidTemplate, "withheld", "The value is sensitive")
	for _, d := range f.Diagnostics {
		require.NotContains(t, d.Detail, "tell-nobody")
	}
}

func TestArchive(t *testing.T) {
	compiled, err := Compile(nil, "testdata/golden/good", testKinds())
	require.NoError(t, err)
	packed, err := compiled.Archive()
	require.NoError(t, err)
	scratch := filepath.Join(t.TempDir(), "scratch")
	meta := compiled.Ref()
	meta.Commit = "abc-dirty"
	again, err := FromArchive(packed, meta, scratch, testKinds())
	require.NoError(t, err)
	require.Equal(t, compiled.Hash, again.Hash)
	require.Equal(t, "abc-dirty", again.Commit)
	require.Equal(t, compiled.Summary(), again.Summary())
	left, err := os.ReadDir(scratch)
	require.NoError(t, err)
	require.Empty(t, left)
	meta.Hash = strings.Repeat("0", 64)
	_, err = FromArchive(packed, meta, scratch, testKinds())
	requireFault(t, err, fault.Conflict, "is needed")
	packed.Data[len(packed.Data)/2] ^= 1
	_, err = FromArchive(packed, compiled.Ref(), scratch, testKinds())
	require.Error(t, err)
}

func FuzzCompile(f *testing.F) {
	_ = filepath.WalkDir("testdata/golden", func(name string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".hcl") {
			data, _ := os.ReadFile(name)
			f.Add(string(data))
		}
		return err
	})
	f.Fuzz(func(t *testing.T, source string) {
		compiled, err := compileText(source)
		if (compiled == nil) == (err == nil) {
			t.Fatal("either a template or an error")
		}
		if err != nil {
			requireFault(t, err, fault.InvalidTemplate)
		}
	})
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
}
