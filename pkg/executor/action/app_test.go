package action_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const script = "#!/bin/sh\necho \"migrated $1 in $(ls)\"\n"

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func withApp(url, sum string) map[string]any {
	return map[string]any{
		"command": []string{"migrate", "up"},
		"app":     map[string]any{"name": "migrate", "url": url, "sha256": sum},
	}
}

// folder makes a template's folder of files that are not executable.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
		require.NoError(t, os.WriteFile(at, []byte(content), 0o600))
	}
	return dir
}

func TestAppOfTheTemplate(t *testing.T) {
	dir := folder(t, map[string]string{"apps/migrate": script, "files/one.sql": "", "files/two.sql": ""})
	block := withApp("./apps/migrate", hash(script))
	block["files"] = "./files"
	outputs, _, err := run(t, block, func(_ *action.Options, r *executor.Request) { r.Bundle = dir })
	require.NoError(t, err)
	require.Equal(t, "migrated up in one.sql\ntwo.sql", text(t, outputs, "stdout"))
}

func TestAppFromFile(t *testing.T) {
	dir := folder(t, map[string]string{"migrate": script})
	outputs, _, err := run(t, withApp("file://"+dir+"/migrate", ""))
	require.NoError(t, err)
	require.Equal(t, "migrated up in", text(t, outputs, "stdout"))
}

func TestAppFromServer(t *testing.T) {
	var asked atomic.Int32
	var status atomic.Int32
	status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(int(status.Load()))
		_, err := w.Write([]byte(script))
		require.NoError(t, err)
	}))
	defer server.Close()
	dir := t.TempDir()
	cache := func(o *action.Options, _ *executor.Request) { o.CacheDir = dir }
	for range 2 {
		_, _, err := run(t, withApp(server.URL+"/migrate", hash(script)), cache)
		require.NoError(t, err)
	}
	require.Equal(t, int32(1), asked.Load(), "what has a hash is fetched once")

	_, _, err := run(t, withApp(server.URL+"/migrate", hash("another")), cache)
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
	require.Contains(t, err.Error(), "is not the one asked for")

	status.Store(http.StatusNotFound)
	_, _, err = run(t, withApp(server.URL+"/migrate", ""), cache)
	require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
	status.Store(http.StatusServiceUnavailable)
	_, _, err = run(t, withApp(server.URL+"/migrate", ""), cache)
	require.Equal(t, fault.Retry, fault.From(err).Disposition)
	server.Close()
	_, _, err = run(t, withApp(server.URL+"/migrate", ""), cache)
	require.Equal(t, fault.Retry, fault.From(err).Disposition)
}

func appValue(name, url, sum string) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name), "url": cty.StringVal(url), "sha256": cty.StringVal(sum)})
}

func TestInspect(t *testing.T) {
	dir := folder(t, map[string]string{"apps/migrate": script, "apps/apps/migrate": "other", "files/x.sql": "", "deep/a/f/1": "", "deep/b/run": ""})
	require.NoError(t, os.Symlink("/etc", filepath.Join(dir, "link")))
	for name, c := range map[string]struct {
		files, app cty.Value
		bundle     string
		says       string
	}{
		"nothing":    {},
		"files":      {files: cty.StringVal("./files"), bundle: "files"},
		"app":        {app: appValue("migrate", "deep/b/run", ""), bundle: "deep/b"},
		"ambiguous":  {app: appValue("migrate", "./apps/migrate", ""), bundle: "."},
		"both":       {files: cty.StringVal("deep/a/f"), app: appValue("migrate", "./deep/b/run", ""), bundle: "deep"},
		"apart":      {files: cty.StringVal("files"), app: appValue("migrate", "./deep/b/run", ""), bundle: "."},
		"unknown":    {app: cty.UnknownVal(cty.DynamicPseudoType)},
		"remote":     {app: appValue("migrate", "https://apps.example.test/migrate", hash(script))},
		"leaves":     {files: cty.StringVal("../other"), says: "leaves the template's folder"},
		"absolute":   {files: cty.StringVal("/etc"), says: "is not a relative path"},
		"link":       {files: cty.StringVal("./link"), says: "by a symbolic link"},
		"no folder":  {files: cty.StringVal("apps/migrate"), says: "is not a folder"},
		"no file":    {app: appValue("migrate", "./apps", ""), says: "is not a file"},
		"app leaves": {app: appValue("migrate", "../x", ""), says: "leaves"},
		"name":       {app: appValue("a/b", "./apps/migrate", ""), says: "program"},
		"hash":       {app: appValue("migrate", "./apps/migrate", "xyz"), says: "64 hexadecimal digits"},
		"scheme":     {app: appValue("migrate", "ftp://example.test/x", ""), says: "https"},
	} {
		t.Run(name, func(t *testing.T) {
			at := hcl.Range{Filename: "template.hcl", Start: hcl.Pos{Line: 7}}
			found, diags := action.New(action.Options{}).Kind().Inspect(template.InspectRequest{
				Root: os.DirFS(dir), Dir: dir,
				Static: map[string]cty.Value{"files": c.files, "app": c.app},
				Ranges: map[string]hcl.Range{"files": at, "app": at},
			})
			require.Equal(t, c.bundle, found.Bundle)
			require.Equal(t, c.says != "", diags.HasErrors())
			if c.says != "" {
				require.Contains(t, diags.Error(), c.says)
				require.Equal(t, &at, diags[0].Subject)
			}
		})
	}
}
