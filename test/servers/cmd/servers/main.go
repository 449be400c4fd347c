// Command servers is how the Makefile gets the real programs that tests and demonstrations talk to.
//
//	servers opentofu [-prefer-path]    prints the path of the pinned OpenTofu, built when it is not there yet
//	servers consul | vault | traefik   the same for Consul, Vault and Traefik
//	servers rabbitmq                   installs RabbitMQ when there is none (root on Debian) and prints its version
//	servers rabbitmq run [-port N] [-dir DIR]
//	                                   runs a private broker until interrupted; its URL is the first line printed
//	servers docker                     installs Docker when there is none (root on Debian) and prints its version
//	servers docker run [-dir DIR]      runs a private engine, with the image sample:1, until interrupted; what to set
//	                                   DOCKER_HOST to is the first line printed
//	servers kubernetes                 the same as for consul, and installs what a cluster needs beside it (root on Debian)
//	servers kubernetes run [-dir DIR]  runs a private cluster of one node, with the image k8s.local/sample:1, until interrupted;
//	                                   what to set KUBECONFIG to is the first line printed
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vivarium-env/vivarium/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) >= 1 && args[0] == "opentofu":
		return opentofu(ctx, args[1:])
	case len(args) == 1 && args[0] == "consul":
		return program(servers.ConsulBinary(ctx, os.Stderr))
	case len(args) == 1 && args[0] == "vault":
		return program(servers.VaultBinary(ctx, os.Stderr))
	case len(args) == 1 && args[0] == "traefik":
		return program(servers.TraefikBinary(ctx, os.Stderr))
	case len(args) >= 2 && args[0] == "rabbitmq" && args[1] == "run":
		return rabbitmq(ctx, args[2:], true)
	case len(args) >= 1 && args[0] == "rabbitmq":
		return rabbitmq(ctx, args[1:], false)
	case len(args) >= 1 && args[0] == "docker":
		return docker(ctx, args[1:])
	case len(args) >= 1 && args[0] == "kubernetes":
		return kubernetes(ctx, args[1:])
	}
	return fmt.Errorf("usage: servers opentofu [-prefer-path] | consul | vault | traefik | rabbitmq [run [-port N] [-dir DIR]] | docker [run [-dir DIR]] | kubernetes [run [-dir DIR]]")
}

// program prints where a program is.
func program(path string, err error) error {
	if err == nil {
		fmt.Println(path)
	}
	return err
}

func opentofu(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("servers opentofu", flag.ContinueOnError)
	prefer := flags.Bool("prefer-path", false, "take tofu or terraform from PATH when there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var options []servers.OpenTofuOption
	if *prefer {
		options = append(options, servers.PreferPath())
	}
	path, err := servers.OpenTofu(ctx, os.Stderr, options...)
	if err != nil {
		return err
	}
	_, err = fmt.Println(path)
	return err
}

func rabbitmq(ctx context.Context, args []string, foreground bool) (err error) {
	flags := flag.NewFlagSet("servers rabbitmq", flag.ContinueOnError)
	port := flags.Int("port", 0, "AMQP port on 127.0.0.1; 0 takes a free one")
	dir := flags.String("dir", "", "where the broker keeps its data; a temporary folder unless given")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := servers.InstallRabbitMQ(ctx, os.Stderr); err != nil {
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "vivarium-broker-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(*dir) }()
	}
	broker, err := servers.StartRabbitMQ(ctx, *dir, servers.RabbitMQOptions{Port: *port})
	if err != nil {
		return err
	}
	if foreground {
		fmt.Println(broker.URL())
		<-ctx.Done()
	} else {
		fmt.Println("RabbitMQ", broker.Version())
	}
	orderly, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return broker.Stop(orderly)
}
