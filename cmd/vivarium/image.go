package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/bootstrap/image"
)

// mainPackage is that of this program; that of the one that draws is called so, too.
const mainPackage = "github.com/vivarium-env/vivarium/cmd/vivarium"

// runningProgram is the very program that runs, also where its file is another one by now.
const runningProgram = "/proc/self/exe"

// imageFlags say where an image goes.
type imageFlags struct {
	docker                     bool
	registry, archive, program string
}

func newImage(c *cli) *cobra.Command {
	var f imageFlags
	cmd := &cobra.Command{
		Use:   "image [--docker | --registry HOST[/PATH] | --archive FILE]",
		Short: "Make an image of this program, and put it into Docker, a registry or a file",
		Long: "Makes an image with nothing in it but this program, and vivarium-draw where that lies beside it, without building anything: one layer, run as\n" +
			"user 65532. It prints the image's name, which follows from the version and the content. Without a flag it does nothing else.\n\n" +
			"A bootstrap does this by itself where it can: in this machine's Docker, or with --image-registry. Where a cluster has no registry, load the archive on each node.",
		Example: `  vivarium image --archive vivarium.tar
  vivarium image --archive - | sudo microk8s images import
  vivarium bootstrap --location my-context --keys keys.json --image $(vivarium image --registry registry.example.test/team)`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.makeImage(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.docker, "docker", false, "put it into this machine's Docker (DOCKER_HOST)")
	flags.StringVar(&f.registry, "registry", "", "push it there as HOST[:PORT][/PATH]/vivarium, as whom `docker login` says")
	flags.StringVar(&f.archive, "archive", "", "write it into a file in the form of `docker save`, or to the standard output (-)")
	flags.StringVar(&f.program, "program", "", "static program for Linux to make it of (default: this one)")
	return cmd
}

func (c *cli) makeImage(ctx context.Context, f imageFlags) error {
	if f.docker && f.registry+f.archive != "" || f.registry != "" && f.archive != "" {
		return usage("--docker, --registry and --archive are three places: give one")
	}
	i, err := c.imageOf(f.program)
	if err != nil {
		return err
	}
	name, names := i.Name(), c.out
	switch {
	case f.docker:
		err = provide(ctx, inDocker{c.engineAddress()}, i)
	case f.registry != "":
		to := pushed(f.registry)
		if name, err = to.Name(i); err == nil {
			err = provide(ctx, to, i)
		}
	case f.archive == "-":
		names, err = c.err, i.Write(c.out)
	case f.archive != "":
		err = i.WriteFile(f.archive)
	}
	if err == nil {
		_, err = fmt.Fprintln(names, name)
	}
	return err
}

// imageOf has an image of a program, "" for the one that runs, and of the one beside it that draws, unless an image can't have that.
func (c *cli) imageOf(program string) (*image.Image, error) {
	p := image.Program{File: program, Package: mainPackage}
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		program, p.File, p.Shown = self, self, self
		if runtime.GOOS == "linux" {
			p.File = runningProgram
		}
	}
	programs := []image.Program{p}
	draws := image.Program{File: filepath.Join(filepath.Dir(program), drawingProgram), Package: mainPackage + "-draw"}
	if _, err := os.Stat(draws.File); err == nil {
		if _, err := draws.Check(); err != nil {
			c.note("without pictures of graphs: %v", err)
		} else {
			programs = append(programs, draws)
		}
	}
	return image.Of(image.Source{Programs: programs, Version: version})
}

// note is for people, beside what a command puts out.
func (c *cli) note(format string, args ...any) { _, _ = fmt.Fprintf(c.err, format+"\n", args...) }
