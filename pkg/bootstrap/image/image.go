package image

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Repository is what every image is called, before its tag.
const Repository = "vivarium"

// Source is what an image is made of.
type Source struct {
	// Programs, of which the first is the one that is run.
	Programs []Program
	// Version of the first.
	Version string
}

// Image is one that can be put somewhere.
type Image struct {
	tag  string
	size int64
	id   v1.Hash // of its layer
	made v1.Image
}

// Of reads the programs once, and has an image of them. One that can't run in an image is refused (fault.Invalid), with what to do.
func Of(s Source) (*Image, error) {
	i, architecture := &Image{}, ""
	for _, p := range s.Programs {
		its, err := p.Check()
		if err != nil {
			return nil, err
		}
		if architecture != "" && its != architecture {
			return nil, fault.New(fault.Reject, fault.Invalid, "%s is for %s, and %s for %s: an image has programs of one architecture", s.Programs[0].shown(), architecture, p.shown(), its)
		}
		n, err := p.size()
		if err != nil {
			return nil, err
		}
		architecture, i.size = its, i.size+n
	}
	l := &layer{programs: s.Programs}
	content, _ := l.Uncompressed() // opens nothing yet
	var err error
	if i.id, _, err = v1.SHA256(content); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Unreadable, "the programs of the image can't be read")
	}
	l.id = i.id
	return i, i.assemble(s, architecture, l)
}

// assemble names the image and puts its parts together; what takes long, compressing, is done when it is put somewhere.
func (i *Image) assemble(s Source, architecture string, l *layer) error {
	config := configuration(s, architecture)
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(append(text, l.id.String()...)))
	if err != nil {
		return err
	}
	i.tag = tag(s.Version, digest)
	compressed, err := partial.UncompressedToLayer(l)
	if err != nil {
		return err
	}
	if i.made, err = mutate.ConfigFile(empty.Image, config); err != nil {
		return err
	}
	i.made, err = mutate.Append(i.made, mutate.Addendum{Layer: compressed, History: v1.History{CreatedBy: "vivarium " + s.Version}})
	return err
}

// configuration is what the image of deployments/Containerfile has. It names no volume, which would be one more for each container that
// has its data elsewhere.
func configuration(s Source, architecture string) *v1.ConfigFile {
	return &v1.ConfigFile{
		Architecture: architecture, OS: "linux", RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User: "65532:65532", WorkingDir: "/data", Entrypoint: []string{"/usr/bin/" + s.Programs[0].Name()}, Cmd: []string{"server", "--primary"},
			Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/data", "VIVARIUM_DATA_DIR=/data", "VIVARIUM_LISTEN=0.0.0.0:8090",
				"VIVARIUM_CATALOGUE=/templates"},
			ExposedPorts: map[string]struct{}{"8090/tcp": {}},
			Labels:       map[string]string{"org.opencontainers.image.title": Repository, "org.opencontainers.image.version": s.Version},
		},
	}
}

// Of a tag these are left, and so many.
var noTag = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

const mostVersion, digits = 64, 12

// tag is the version, and what it is made of.
func tag(version string, digest v1.Hash) string {
	version = cmp.Or(strings.Trim(noTag.ReplaceAllString(version, "-"), "-."), "dev")
	return version[:min(len(version), mostVersion)] + "-" + digest.Hex[:digits]
}

// Name is that of the image where it is in no registry: vivarium:VERSION-DIGEST.
func (i *Image) Name() string { return Repository + ":" + i.tag }

// Size is that of the programs in bytes.
func (i *Image) Size() int64 { return i.size }
