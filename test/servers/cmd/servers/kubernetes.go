package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/vivarium-env/vivarium/test/servers"
)

// kubernetes runs a cluster with "run"; else it only makes sure that there is all that it takes to start one.
func kubernetes(ctx context.Context, args []string) (err error) {
	if err := servers.InstallKubernetes(ctx, os.Stderr); err != nil {
		return err
	}
	if len(args) == 0 {
		return program(servers.KubernetesBinary(ctx, os.Stderr))
	}
	if args[0] != "run" {
		return fmt.Errorf("usage: servers kubernetes [run [-dir DIR]]")
	}
	flags := flag.NewFlagSet("servers kubernetes run", flag.ContinueOnError)
	dir := flags.String("dir", "", "where the cluster keeps its data, a folder that is empty; a temporary one unless given")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "vivarium-cluster-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(*dir) }()
	}
	cluster, err := servers.StartKubernetes(ctx, *dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Kill()) }()
	if err := cluster.LoadImage(ctx, "k8s.local/sample:1", servers.SampleApp); err != nil {
		return err
	}
	fmt.Println(cluster.Kubeconfig())
	fmt.Fprintln(os.Stderr, "Kubernetes", cluster.Version(), "on", cluster.Address()+"; its kubectl is", cluster.Kubectl())
	<-ctx.Done()
	return nil
}
