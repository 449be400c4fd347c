package image

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Write writes the image as an archive in the form of docker save, which also containerd, Podman and all else that loads images take.
func (i *Image) Write(to io.Writer) error {
	ref, err := name.NewTag(i.Name())
	if err != nil {
		return err
	}
	return tarball.Write(ref, i.made, to)
}

// archive is the image in the form that docker load takes, made while it is read; what went wrong with that comes last.
func (i *Image) archive() (*io.PipeReader, <-chan error) {
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := i.Write(in)
		_ = in.CloseWithError(err)
		ended <- err
	}()
	return out, ended
}

// stopped ends what makes an archive, and has what went wrong there: nothing, where it was only told to end.
func stopped(archive *io.PipeReader, writing <-chan error) error {
	_ = archive.Close()
	if err := <-writing; !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}

// WriteFile writes the archive into a file, which is whole or not there.
func (i *Image) WriteFile(file string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-")
	if err != nil {
		return fault.Wrap(err, fault.Reject, fault.Unavailable, "the archive of %s can't be written to %s", i.Name(), file)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = errors.Join(i.Write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the archive of %s does not fit: make room for %s, or name another place", i.Name(), file)
	case err != nil:
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the archive of %s can't be written to %s", i.Name(), file)
	}
	return nil
}
