package terraform

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// names of the program, in the order in which they are looked for.
var names = []string{"tofu", "terraform"}

// Find returns the path of the first of tofu and terraform on PATH that answers. When neither does, the error says
// what to install.
func Find(ctx context.Context) (string, error) {
	var broken error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if _, err := version(ctx, path); err != nil {
			broken = err
			continue
		}
		return path, nil
	}
	if ctx.Err() != nil {
		return "", fault.From(ctx.Err())
	}
	if broken != nil {
		return "", broken
	}
	return "", fault.New(fault.GiveUp, fault.Unavailable,
		"neither tofu nor terraform is on the runner's PATH: install OpenTofu or Terraform there, or configure the path of one")
}

func version(ctx context.Context, binary string) (string, error) {
	tf, err := tfexec.NewTerraform(os.TempDir(), binary)
	if err == nil {
		v, _, verr := tf.Version(ctx, true)
		if verr == nil {
			return v.String(), nil
		}
		err = verr
	}
	if ctx.Err() != nil {
		return "", fault.From(ctx.Err())
	}
	return "", fault.Wrap(err, fault.GiveUp, fault.Unavailable,
		"%s does not tell its version: it has to be a working OpenTofu or Terraform", binary)
}

// tool is the program, looked for and asked for its version once; again when its file has changed.
type tool struct {
	mu       sync.Mutex
	binary   string
	version  string
	modified time.Time
	size     int64
}

func (t *tool) get(ctx context.Context) (binary, ver string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.binary == "" {
		if t.binary, err = Find(ctx); err != nil {
			return "", "", err
		}
	}
	info, err := os.Stat(t.binary)
	if err != nil {
		return "", "", fault.Wrap(err, fault.GiveUp, fault.Unavailable, "%s is not there: configure the path of OpenTofu or Terraform", t.binary)
	}
	if t.version == "" || !info.ModTime().Equal(t.modified) || info.Size() != t.size {
		if t.version, err = version(ctx, t.binary); err != nil {
			return "", "", err
		}
		t.modified, t.size = info.ModTime(), info.Size()
	}
	return t.binary, t.version, nil
}
