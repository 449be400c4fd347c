package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// debianScript is the broker's own start script. The one on Debian's PATH is a wrapper around it that changes to the
// user rabbitmq and to the service's folders.
const debianScript = "/usr/lib/rabbitmq/bin/rabbitmq-server"

const installLock = "vivarium-apt.lock"

var errNoRabbitMQ = errors.New("RabbitMQ is not installed: install rabbitmq-server 3.10 or later (Debian: apt-get install rabbitmq-server), or run this as root on Debian, which installs it")

func findRabbitMQ() (string, error) {
	if _, err := os.Stat(debianScript); err == nil {
		return debianScript, nil
	}
	if path, err := exec.LookPath("rabbitmq-server"); err == nil {
		return path, nil
	}
	return "", errNoRabbitMQ
}

// InstallRabbitMQ makes sure that there is a RabbitMQ to start: as root on Debian it installs the package when there is
// none, and says so to progress; elsewhere it returns what to install.
func InstallRabbitMQ(ctx context.Context, progress io.Writer) error {
	if _, err := findRabbitMQ(); err == nil {
		return nil
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		return errNoRabbitMQ
	}
	unlock, err := lockFile(ctx, filepath.Join(os.TempDir(), installLock))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := findRabbitMQ(); err == nil {
		return nil // another process has installed it meanwhile
	}
	_, _ = fmt.Fprintln(progress, "Installing RabbitMQ from Debian's package rabbitmq-server (once, about 15 seconds; its service is not started) ...")
	start := time.Now()
	if err := aptInstall(ctx, "rabbitmq-server"); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "Installed RabbitMQ in %s.\n", time.Since(start).Round(time.Second))
	return nil
}

// aptInstall installs Debian packages without starting their services: where no init runs, nothing would start them,
// and where one does, a policy that forbids it stands in for the time of the installation unless there is one already.
func aptInstall(ctx context.Context, packages ...string) error {
	const policy = "/usr/sbin/policy-rc.d"
	if f, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755); err == nil {
		_, err = f.WriteString("#!/bin/sh\nexit 101\n")
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		defer func() { _ = os.Remove(policy) }()
	}
	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	for _, args := range [][]string{{"update"}, install} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}
