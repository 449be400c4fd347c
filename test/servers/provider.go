package servers

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Where modules find the sample provider, and in which version.
const (
	SampleProviderSource  = "example.test/vivarium/sample"
	sampleProviderVersion = "1.0.0"
)

// SampleProvider makes a mirror of providers below dir, with the one from the folder provider beside this file, which it
// builds when this machine has not yet: about a minute with a cold cache, said to progress. It returns the path of a command
// line configuration (TF_CLI_CONFIG_FILE) with which OpenTofu and Terraform install from that mirror alone.
func SampleProvider(ctx context.Context, dir string, progress io.Writer) (config string, err error) {
	p := &pinnedProgram{
		title: "the sample provider", folder: "provider", name: "terraform-provider-sample", takes: "a minute",
		requires: "github.com/hashicorp/terraform-plugin-framework", main: ".", sources: []string{"main.go", "file.go"},
	}
	program, err := p.get(ctx, progress)
	if err != nil {
		return "", err
	}
	mirror := filepath.Join(dir, "mirror")
	place := filepath.Join(mirror, filepath.FromSlash(SampleProviderSource), sampleProviderVersion, runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(place, 0o755); err != nil {
		return "", err
	}
	if err := os.Symlink(program, filepath.Join(place, "terraform-provider-sample_v"+sampleProviderVersion)); err != nil {
		return "", err
	}
	config = filepath.Join(dir, "cli.tfrc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	return config, os.WriteFile(config, []byte(text), 0o644)
}
