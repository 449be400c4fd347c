package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vivarium-env/vivarium/test/servers"
)

// Stack is the servers that the sample needs.
type Stack struct {
	dir      string
	RabbitMQ *servers.RabbitMQ
	Consul   *servers.Consul
	Vault    *servers.Vault
	Docker   *servers.Docker
	Traefik  *servers.Traefik
	Tofu     string // path of the program
	role     approle

	started func(name, version, address string)
	mu      sync.Mutex
	stops   []stop // in the order of the starts
}

type stop struct {
	name string
	call func(context.Context) error
}

// Start starts all servers with their data below dir, and installs or builds those that are not there (by root on Debian;
// half an hour with cold caches, said on the standard error). It calls started for each, one at a time. After an error none
// is left running.
func Start(ctx context.Context, dir string, started func(name, version, address string)) (*Stack, error) {
	s := &Stack{dir: dir, started: started}
	if err := s.programs(ctx); err != nil {
		return nil, err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return s.broker(ctx) })
	work.Go(func() error { return inTurn(ctx, s.vault, s.prepareVault) })
	work.Go(func() error { return inTurn(ctx, s.docker, s.consul, s.traefik) })
	if err := work.Wait(); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// inTurn calls each after the one before has succeeded.
func inTurn(ctx context.Context, calls ...func(context.Context) error) error {
	for _, call := range calls {
		if err := call(ctx); err != nil {
			return err
		}
	}
	return nil
}

// programs builds and installs what is not there yet, one after the other: each build takes the whole machine.
func (s *Stack) programs(ctx context.Context) error {
	if err := servers.InstallRabbitMQ(ctx, os.Stderr); err != nil {
		return err
	}
	if err := servers.InstallDocker(ctx, os.Stderr); err != nil {
		return err
	}
	var err error
	if s.Tofu, err = servers.OpenTofu(ctx, os.Stderr); err != nil {
		return err
	}
	if _, err = servers.ConsulBinary(ctx, os.Stderr); err != nil {
		return err
	}
	if _, err = servers.VaultBinary(ctx, os.Stderr); err != nil {
		return err
	}
	_, err = servers.TraefikBinary(ctx, os.Stderr)
	return err
}

func (s *Stack) broker(ctx context.Context) (err error) {
	dir, err := s.folder("rabbitmq")
	if err != nil {
		return err
	}
	if s.RabbitMQ, err = servers.StartRabbitMQ(ctx, dir); err != nil {
		return err
	}
	s.runs("RabbitMQ", s.RabbitMQ.Version(), s.RabbitMQ.Address(), s.RabbitMQ.Stop)
	return nil
}

func (s *Stack) vault(ctx context.Context) (err error) {
	dir, err := s.folder("vault")
	if err != nil {
		return err
	}
	if s.Vault, err = servers.StartVault(ctx, dir); err != nil {
		return err
	}
	s.runs("Vault", s.Vault.Version(), s.Vault.Address(), s.Vault.Stop)
	return nil
}

// docker comes before those who need its bridge or its socket.
func (s *Stack) docker(ctx context.Context) (err error) {
	dir, err := s.folder("docker")
	if err != nil {
		return err
	}
	if s.Docker, err = servers.StartDocker(ctx, dir); err != nil {
		return err
	}
	s.runs("Docker", s.Docker.Version(), s.Docker.Host(), func(context.Context) error { return s.Docker.Discard() })
	return nil
}

// consul listens on the bridge too, where containers reach it.
func (s *Stack) consul(ctx context.Context) error {
	dir, err := s.folder("consul")
	if err != nil {
		return err
	}
	bridge, err := s.bridge(ctx)
	if err != nil {
		return err
	}
	if s.Consul, err = servers.StartConsul(ctx, dir, servers.ConsulOptions{Listen: []string{bridge.String()}}); err != nil {
		return err
	}
	s.runs("Consul", s.Consul.Version(), s.Consul.Address(), s.Consul.Stop)
	return nil
}

func (s *Stack) traefik(ctx context.Context) error {
	dir, err := s.folder("traefik")
	if err != nil {
		return err
	}
	if s.Traefik, err = servers.StartTraefik(ctx, dir, servers.TraefikOptions{Docker: s.Docker.Host()}); err != nil {
		return err
	}
	s.runs("Traefik", s.Traefik.Version(), s.Traefik.Address(), s.Traefik.Stop)
	return nil
}

func (s *Stack) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Stack) folder(name string) (string, error) {
	dir := s.path(name)
	return dir, os.MkdirAll(dir, 0o700)
}

func (s *Stack) runs(name, version, address string, call func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = append(s.stops, stop{name, call})
	s.started(name, version, address)
}

// patience is how long one server has to stop by itself.
const patience = 20 * time.Second

// Stop stops all servers, the last one first, and removes what they have made on the machine outside of their folder. Those that
// don't stop in time are killed, which is an error.
func (s *Stack) Stop(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.stops) > 0 {
		last := s.stops[len(s.stops)-1]
		s.stops = s.stops[:len(s.stops)-1]
		within, cancel := context.WithTimeout(ctx, patience)
		if e := last.call(within); e != nil {
			err = errors.Join(err, fmt.Errorf("stopping %s: %w", last.name, e))
		}
		cancel()
	}
	return err
}
