package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TestTheSameIsMadeOfTheSame: the name follows from the content and the version alone.
func TestTheSameIsMadeOfTheSame(t *testing.T) {
	one, again, other := made(t, "1.0.0"), made(t, "1.0.0"), made(t, "1.0.1")
	require.Regexp(t, `^vivarium:1\.0\.0-[0-9a-f]{12}$`, one.Name())
	require.Equal(t, one.Name(), again.Name(), "though its file lies elsewhere")
	require.NotEqual(t, one.tag[len("1.0.0-"):], other.tag[len("1.0.1-"):])
	require.Positive(t, one.Size())

	changed := sample(t)
	text, err := os.ReadFile(changed.File)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(changed.File, append(text, "and more"...), 0o700))
	more, err := Of(Source{Programs: []Program{changed}, Version: "1.0.0"})
	require.NoError(t, err)
	require.NotEqual(t, one.Name(), more.Name())

	require.Regexp(t, `^v1\.0-3-gabc-dirty-build-[0-9a-f]{12}$`, tag("v1.0-3-gabc-dirty+build", one.id))
	require.LessOrEqual(t, len(tag(string(bytes.Repeat([]byte("1"), 300)), one.id)), 128, "what a tag may have")
	require.Regexp(t, `^x-[0-9a-f]{12}$`, tag("--x", one.id), "it begins with no hyphen")
	require.Regexp(t, `^dev-[0-9a-f]{12}$`, tag("+", one.id), "nor is it empty")
}

// TestArchive: what is written is whole, and a library of archives reads it.
func TestArchive(t *testing.T) {
	i, dir := made(t, "1.0.0"), t.TempDir()
	file := filepath.Join(dir, "vivarium.tar")
	require.NoError(t, i.WriteFile(file))
	read, err := tarball.ImageFromPath(file, nil)
	require.NoError(t, err)
	config, err := read.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, "65532:65532", config.Config.User)
	require.Equal(t, []string{"/usr/bin/sample"}, config.Config.Entrypoint)
	layers, err := read.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	id, err := layers[0].DiffID()
	require.NoError(t, err)
	require.Equal(t, i.id, id, "the checksum of the layer is that of what is in it")
	content, err := layers[0].Uncompressed()
	require.NoError(t, err)
	names := map[string]int64{}
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		names[h.Name] = h.Mode
	}
	require.NoError(t, content.Close())
	require.Equal(t, map[string]int64{"usr/": 0o755, "usr/bin/": 0o755, "templates/": 0o755, "tmp/": 0o1777, "data/": 0o755, "usr/bin/sample": 0o755}, names)
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 1, "nothing else is left")
}

// TestArchiveOnAFullDisk: what does not fit is not there, and it says what to do.
func TestArchiveOnAFullDisk(t *testing.T) {
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("mounts a small disk, as root")
	}
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"))
	defer func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) }()
	err := made(t, "1.0.0").WriteFile(filepath.Join(dir, "vivarium.tar"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "make room")
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
}

// TestWhatIsNoProgramForAnImage is refused with what to do.
func TestWhatIsNoProgramForAnImage(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700))
	static := sample(t)
	for says, programs := range map[string][]Program{
		"no program that Go has built":      {{File: text, Package: samplePackage}},
		"no such file":                      {{File: text + ".not", Package: samplePackage}},
		"sample, and not other/program":     {{File: static.File, Package: "other/program"}},
		"needs one for Linux":               {sample(t, "GOOS=windows")},
		"since it was built with cgo":       {dynamic(t)},
		"has programs of one architecture":  {static, sample(t, "GOARCH=arm64")},
		"build it with CGO_ENABLED=0 GOOS=": {dynamic(t)},
	} {
		_, err := Of(Source{Programs: programs, Version: "1"})
		require.ErrorContains(t, err, says)
		require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	}
}

// dynamic is a program that needs the machine's loader, as what cgo makes does.
func dynamic(t *testing.T) Program { return sample(t, "GOFLAGS=-buildmode=pie") }
