package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func sample() fstest.MapFS {
	return fstest.MapFS{
		"modules/network/main.tf":            {Data: []byte("resource {}"), Mode: 0o600, ModTime: time.Unix(1e9, 0)},
		"modules/network/run.sh":             {Data: []byte("#!/bin/sh\n"), Mode: 0o700},
		"modules/network/files/empty":        {},
		"modules/network/files.d/a":          {Data: []byte("a")},
		"modules/network/.hidden":            {Data: []byte("x")},
		"modules/network/.terraform/plugin":  {Data: []byte("x")},
		"modules/network/files/.git/objects": {Data: []byte("x")},
		"elsewhere":                          {Data: []byte("x")},
	}
}

func TestPackIsDeterministicAndLeavesHiddenFilesOut(t *testing.T) {
	a, err := Pack(sample(), "modules/network")
	require.NoError(t, err)
	changed := sample()
	changed["modules/network/main.tf"].ModTime = time.Now()
	changed["modules/network/main.tf"].Mode = 0o444
	changed["modules/network/.hidden"].Data = []byte("y")
	b, err := Pack(changed, "modules/network")
	require.NoError(t, err)
	require.Equal(t, a, b)
	hash, err := Hash(sample(), "modules/network")
	require.NoError(t, err)
	require.Equal(t, a.Hash, hash)
}

func TestTheLockFileOfProvidersTravels(t *testing.T) {
	const lock = ".terraform.lock.hcl"
	files := sample()
	without, err := Hash(files, "modules/network")
	require.NoError(t, err)
	files["modules/network/"+lock] = &fstest.MapFile{Data: []byte("1.0")}
	b, err := Pack(files, "modules/network")
	require.NoError(t, err)
	require.NotEqual(t, without, b.Hash)
	dir := filepath.Join(t.TempDir(), b.Hash)
	require.NoError(t, Unpack(b, dir))
	text, err := os.ReadFile(filepath.Join(dir, lock))
	require.NoError(t, err)
	require.Equal(t, "1.0", string(text))
	require.NoFileExists(t, filepath.Join(dir, ".hidden"))

	files["modules/network/"+lock].Data = []byte("1.1")
	other, err := Hash(files, "modules/network")
	require.NoError(t, err)
	require.NotEqual(t, b.Hash, other, "its content counts")
}

func TestHashSeesNamesModesAndContents(t *testing.T) {
	seen := map[string]bool{}
	for _, files := range []fstest.MapFS{
		{}, {"a": {Data: []byte("x")}}, {"b": {Data: []byte("x")}}, {"a": {Data: []byte("y")}},
		{"a": {Data: []byte("x"), Mode: 0o755}}, {"a": {Data: []byte("x")}, "b": {}}, {"d/a": {Data: []byte("x")}},
	} {
		hash, err := Hash(files, ".")
		require.NoError(t, err)
		require.False(t, seen[hash], "two sets of files have one hash")
		seen[hash] = true
	}
}

func TestPackRefuses(t *testing.T) {
	noise := make([]byte, MaxPacked+1)
	_, _ = rand.Read(noise)
	disk := t.TempDir()
	require.NoError(t, os.Symlink("/etc", filepath.Join(disk, "link")))
	require.NoError(t, os.Mkdir(filepath.Join(disk, "real"), 0o700))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(disk, "real", "passwd")))
	for name, c := range map[string]struct {
		fsys fs.FS
		dir  string
		code fault.Code
		text string
	}{
		"too large packed":   {fstest.MapFS{"a": {Data: noise}}, ".", fault.Invalid, "when packed"},
		"too large unpacked": {fstest.MapFS{"a": {Data: make([]byte, MaxUnpacked)}}, ".", fault.Invalid, "move large files"},
		"link in the folder": {os.DirFS(disk), "real", fault.Invalid, "real/passwd"},
		"folder is a link":   {os.DirFS(disk), "link", fault.Invalid, "symbolic link"},
		"link in the path":   {os.DirFS(disk), "link/ssl", fault.Invalid, "symbolic link"},
		"absent":             {sample(), "nowhere", fault.NotFound, "nowhere"},
		"a file":             {sample(), "elsewhere", fault.Invalid, "not a folder"},
		"outside":            {sample(), "../x", fault.Invalid, "relative"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Pack(c.fsys, c.dir)
			require.True(t, fault.Is(err, c.code), "%v", err)
			require.Contains(t, err.Error(), c.text)
		})
	}
}

func TestUnpackGivesTheFilesBack(t *testing.T) {
	b, err := Pack(sample(), "modules/network")
	require.NoError(t, err)
	parent := t.TempDir()
	dir := filepath.Join(parent, "new", b.Hash)
	require.NoError(t, Unpack(b, dir))

	hash, err := Hash(os.DirFS(dir), ".")
	require.NoError(t, err)
	require.Equal(t, b.Hash, hash)
	info, err := os.Stat(filepath.Join(dir, "run.sh"))
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100)
	left, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing temporary stays")
}

func TestUnpackLeavesACompleteFolder(t *testing.T) {
	b, err := Pack(sample(), "modules/network")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, Unpack(&event.Bundle{Hash: b.Hash}, dir))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestUnpackManyAtOnce(t *testing.T) {
	b, err := Pack(sample(), "modules/network")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), b.Hash)
	results := make(chan error, 8)
	for range cap(results) {
		go func() { results <- Unpack(b, dir) }()
	}
	for range cap(results) {
		require.NoError(t, <-results)
	}
	hash, err := Hash(os.DirFS(dir), ".")
	require.NoError(t, err)
	require.Equal(t, b.Hash, hash)
}

func TestUnpackSaysWhenTheDiskRefuses(t *testing.T) {
	b, err := Pack(sample(), "modules/network")
	require.NoError(t, err)
	blocked := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	err = Unpack(b, filepath.Join(blocked, b.Hash))
	require.Equal(t, fault.Retry, fault.From(err).Disposition)
}

// forge makes a bundle as nobody honest does, with the hash that its files would have.
func forge(headers ...tar.Header) *event.Bundle {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	var files []file
	for _, h := range headers {
		data := make([]byte, h.Size)
		must(archive.WriteHeader(&h))
		_, err := archive.Write(data)
		must(err)
		files = append(files, file{name: h.Name, data: data, exec: h.Mode&0o111 != 0})
	}
	must(archive.Close())
	must(zip.Close())
	sortFiles(files)
	return &event.Bundle{Hash: digest(files), Data: out.Bytes()}
}

func TestUnpackRefuses(t *testing.T) {
	reg := func(name string, size int64) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size}
	}
	good := forge(reg("a", 1))
	other := forge(reg("b", 1))
	for name, c := range map[string]struct {
		b    *event.Bundle
		text string
	}{
		"nil":            {nil, "there is none"},
		"absolute":       {forge(reg("/etc/passwd", 1)), "below its folder"},
		"parent":         {forge(reg("a/../../b", 1)), "below its folder"},
		"backslash":      {forge(reg(`..\b`, 1)), "below its folder"},
		"twice":          {forge(reg("a", 1), reg("a", 1)), "twice"},
		"file, folder":   {forge(reg("a", 1), reg("a/b", 1)), "a file and a folder"},
		"symbolic link":  {forge(tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc"}), "link"},
		"hard link":      {forge(tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}), "link"},
		"folder":         {forge(tar.Header{Typeflag: tar.TypeDir, Name: "a/"}), "special"},
		"bomb":           {forge(reg("a", MaxUnpacked/2), reg("b", MaxUnpacked/2)), "unpacks to more"},
		"another's hash": {&event.Bundle{Hash: other.Hash, Data: good.Data}, "not what its hash says"},
		"hash a path":    {&event.Bundle{Hash: "../x", Data: good.Data}, "hexadecimal"},
		"no gzip":        {&event.Bundle{Hash: good.Hash, Data: []byte("x")}, "not a gzipped tar"},
		"cut short":      {&event.Bundle{Hash: good.Hash, Data: good.Data[:len(good.Data)/2]}, "not a gzipped tar"},
		"large message":  {&event.Bundle{Hash: good.Hash, Data: make([]byte, MaxPacked+1)}, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			err := Unpack(c.b, filepath.Join(parent, "dir"))
			require.True(t, fault.Is(err, fault.Invalid), "%v", err)
			require.Equal(t, fault.Reject, fault.From(err).Disposition)
			require.Contains(t, err.Error(), c.text)
			left, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestFS(t *testing.T) {
	b, err := Pack(sample(), "modules/network")
	require.NoError(t, err)
	view, err := FS(b)
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(view, "main.tf", "run.sh", "files/empty", "files.d/a"))

	data, err := fs.ReadFile(view, "main.tf")
	require.NoError(t, err)
	require.Equal(t, "resource {}", string(data))
	data[0] = 'X'
	again, err := fs.ReadFile(view, "main.tf")
	require.NoError(t, err)
	require.Equal(t, "resource {}", string(again))

	_, err = FS(&event.Bundle{Hash: strings.Repeat("0", 64), Data: b.Data})
	require.Error(t, err)
	same, err := Pack(view, ".")
	require.NoError(t, err)
	require.Equal(t, b, same)
}

func TestEmptyFS(t *testing.T) {
	b, err := Pack(fstest.MapFS{}, ".")
	require.NoError(t, err)
	view, err := FS(b)
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(view))
}

// FuzzUnpack takes the tar before it is zipped and gives it the hash it would have, to get past both.
func FuzzUnpack(f *testing.F) {
	for _, names := range [][]string{{}, {"a", "b/c"}, {"../outside"}, {"/a"}, {"a", "a/b"}, {"a", "a"}} {
		var headers []tar.Header
		for _, name := range names {
			headers = append(headers, tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 3})
		}
		zip, err := gzip.NewReader(bytes.NewReader(forge(headers...).Data))
		require.NoError(f, err)
		raw, err := io.ReadAll(zip)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		files, _ := readTar(tar.NewReader(bytes.NewReader(raw)))
		sortFiles(files)
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		_, err := zip.Write(raw)
		require.NoError(t, err)
		require.NoError(t, zip.Close())

		parent := t.TempDir()
		err = Unpack(&event.Bundle{Hash: digest(files), Data: zipped.Bytes()}, filepath.Join(parent, "dir"))
		left, listErr := os.ReadDir(parent)
		require.NoError(t, listErr)
		if err != nil {
			require.Empty(t, left, "a refused bundle leaves nothing")
			return
		}
		require.Len(t, left, 1)
		for _, want := range files {
			got, err := os.ReadFile(filepath.Join(parent, "dir", want.name))
			require.NoError(t, err)
			require.Equal(t, string(want.data), string(got))
		}
	})
}
