package image

import (
	"archive/tar"
	"errors"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who the programs run as unless somebody says otherwise: nobody that a machine knows.
const user = 65532

// layer is the one that an image has, as go-containerregistry wants it.
type layer struct {
	programs []Program
	id       v1.Hash
}

// DiffID is the checksum of the layer.
func (l *layer) DiffID() (v1.Hash, error) { return l.id, nil }

// MediaType is the one that every engine and registry takes.
func (l *layer) MediaType() (types.MediaType, error) { return types.DockerLayer, nil }

// Uncompressed makes the layer while it is read.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	out, in := io.Pipe()
	go func() { _ = in.CloseWithError(l.write(in)) }()
	return out, nil
}

// write has no time, owner or anything else of this machine in it, so that it is the same everywhere.
func (l *layer) write(to io.Writer) error {
	w := tar.NewWriter(to)
	for _, folder := range []tar.Header{
		{Name: "usr/", Mode: 0o755}, {Name: "usr/bin/", Mode: 0o755}, {Name: "templates/", Mode: 0o755}, {Name: "tmp/", Mode: 0o1777},
		{Name: "data/", Mode: 0o755, Uid: user, Gid: user},
	} {
		folder.Typeflag = tar.TypeDir
		if err := w.WriteHeader(&folder); err != nil {
			return err
		}
	}
	for _, p := range l.programs {
		if err := p.write(w); err != nil {
			return err
		}
	}
	return w.Close()
}

func (p Program) write(w *tar.Writer) (err error) {
	size, err := p.size()
	if err != nil {
		return err
	}
	f, err := os.Open(p.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/" + p.Name(), Mode: 0o755, Size: size}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
