package servers

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
)

// OpenTofuOption changes where OpenTofu takes the program from.
type OpenTofuOption func(*openTofuChoice)

type openTofuChoice struct{ preferPath bool }

// PreferPath takes tofu, or else terraform, from PATH when one of them is there, instead of the pinned OpenTofu.
func PreferPath() OpenTofuOption { return func(o *openTofuChoice) { o.preferPath = true } }

// OpenTofu returns the path of the pinned OpenTofu, which it builds when this machine has not built that version yet:
// 2 to 7 minutes with a cold cache, said to progress. It has to be called from within the checkout. Two processes
// that call it at once build once.
func OpenTofu(ctx context.Context, progress io.Writer, options ...OpenTofuOption) (string, error) {
	var choice openTofuChoice
	for _, option := range options {
		option(&choice)
	}
	if choice.preferPath {
		for _, name := range []string{"tofu", "terraform"} {
			if path, err := exec.LookPath(name); err == nil {
				return filepath.Abs(path)
			}
		}
	}
	return pinnedOpenTofu().get(ctx, progress)
}

func pinnedOpenTofu() *pinnedProgram {
	return &pinnedProgram{
		title: "OpenTofu", folder: "opentofu", name: "tofu", takes: "2 to 7 minutes",
		requires: "github.com/opentofu/opentofu", main: "github.com/opentofu/opentofu/cmd/tofu",
		link: "-X github.com/opentofu/opentofu/version.dev=no", // as released programs are: without it, it says -dev
	}
}
