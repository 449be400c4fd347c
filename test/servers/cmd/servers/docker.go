package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/vivarium-env/vivarium/test/servers"
)

// docker runs an engine: in the foreground with "run", else only for as long as it takes to ask for its version.
func docker(ctx context.Context, args []string) (err error) {
	foreground := len(args) > 0 && args[0] == "run"
	if foreground {
		args = args[1:]
	}
	flags := flag.NewFlagSet("servers docker", flag.ContinueOnError)
	dir := flags.String("dir", "", "where the engine keeps its data; a temporary folder unless given")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := servers.InstallDocker(ctx, os.Stderr); err != nil {
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "vivarium-engine-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(*dir) }()
	}
	engine, err := servers.StartDocker(ctx, *dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Discard()) }()
	if !foreground {
		fmt.Println("Docker", engine.Version())
		return nil
	}
	if err := engine.Image(ctx, "sample:1", servers.SampleApp); err != nil {
		return err
	}
	fmt.Println(engine.Host())
	<-ctx.Done()
	orderly, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return engine.Stop(orderly)
}
