package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vivarium-env/vivarium/test/ports"
)

// Traefik is a private Traefik that routes to the containers of one Docker daemon, by their labels. Its methods may be
// called from several goroutines, one at a time takes effect.
type Traefik struct {
	server
	program string
	docker  string
	ports   traefikPorts
	version string
}

// TraefikOptions say what StartTraefik can't know.
type TraefikOptions struct {
	// Docker is the daemon whose containers are routed to, such as unix:///run/docker.sock. Only those that ask for it are
	// (label traefik.enable=true).
	Docker string
}

type traefikPorts struct{ web, secure, admin int }

// StartTraefik starts a Traefik with its files in dir and returns when it answers; what it routes to comes and goes with the
// containers. Entrypoint web takes HTTP; websecure takes HTTPS with a certificate that Traefik makes itself. The program is
// TraefikBinary's, which may take minutes to build the first time.
func StartTraefik(ctx context.Context, dir string, o TraefikOptions) (*Traefik, error) {
	program, err := TraefikBinary(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	free, err := ports.Free(3)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "home"), 0o700); err != nil {
		return nil, fmt.Errorf("preparing %s for Traefik: %w", dir, err)
	}
	t := &Traefik{program: program, docker: o.Docker, ports: traefikPorts{free[0], free[1], free[2]}}
	t.server = server{name: "Traefik", dir: dir, where: func() string { return loopback(t.ports.admin) }, command: t.command, environment: t.environment, answers: t.answers}
	if err := t.Start(ctx); err != nil {
		return nil, errors.Join(err, t.Kill())
	}
	return t, nil
}

// Address is the host and port of the entrypoint web.
func (t *Traefik) Address() string { return loopback(t.ports.web) }

// SecureAddress is the host and port of the entrypoint websecure.
func (t *Traefik) SecureAddress() string { return loopback(t.ports.secure) }

// Version is what the server says it is, such as 3.6.12.
func (t *Traefik) Version() string { return t.version }

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// arguments are all of its configuration; containers bring the rest.
func (t *Traefik) arguments() []string {
	return []string{
		"--entrypoints.web.address=" + t.Address(), "--entrypoints.websecure.address=" + t.SecureAddress(),
		"--entrypoints.traefik.address=" + loopback(t.ports.admin), "--ping=true", "--api=true", "--api.insecure=true",
		"--providers.docker.endpoint=" + t.docker, "--providers.docker.exposedbydefault=false",
		"--providers.providersthrottleduration=100ms", // 2 s, unless told
		"--log.level=INFO", "--log.nocolor=true", "--global.checknewversion=false", "--global.sendanonymoususage=false",
	}
}

func (t *Traefik) command() *exec.Cmd { return exec.Command(t.program, t.arguments()...) }

func (t *Traefik) environment() []string {
	return environmentWithout(filepath.Join(t.dir, "home"), "TRAEFIK_", "DOCKER_")
}

// answers tells whether it answers its ping.
func (t *Traefik) answers(ctx context.Context) error {
	if _, err := t.ask(ctx, "/ping"); err != nil {
		return err
	}
	return t.askVersion(ctx)
}

func (t *Traefik) askVersion(ctx context.Context) error {
	body, err := t.ask(ctx, "/api/version")
	if err != nil {
		return err
	}
	var said struct{ Version string }
	err = json.Unmarshal(body, &said)
	t.version = said.Version
	return err
}

// ask reads from the entrypoint that is for its operators alone.
func (t *Traefik) ask(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loopback(t.ports.admin)+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true // no goroutine of a kept connection is left behind
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, answer.Status, body)
	}
	return body, err
}
