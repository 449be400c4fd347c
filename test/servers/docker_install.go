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

var errNoDocker = errors.New("Docker is not installed: install dockerd 20.10 or later with iptables and iproute2 (Debian: apt-get install docker.io iptables iproute2), or run this as root on Debian, which installs it")

// findDocker tells whether there is an engine that can be started: a private one needs root.
func findDocker() error {
	for _, name := range []string{"dockerd", "containerd", "iptables", "ip", "unshare"} {
		if _, err := exec.LookPath(name); err != nil {
			return errNoDocker
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("a private Docker Engine needs root")
	}
	return nil
}

// InstallDocker makes sure that there is a Docker Engine to start: as root on Debian it installs the package when there is
// none, and says so to progress; elsewhere it returns what to install.
func InstallDocker(ctx context.Context, progress io.Writer) error {
	missing := findDocker()
	if missing == nil {
		return nil
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		return missing
	}
	unlock, err := lockFile(ctx, filepath.Join(os.TempDir(), installLock))
	if err != nil {
		return err
	}
	defer unlock()
	if findDocker() == nil {
		return nil // another process has installed it meanwhile
	}
	_, _ = fmt.Fprintln(progress, "Installing Docker from Debian's package docker.io (once, about 20 seconds; its service is not started) ...")
	start := time.Now()
	if err := aptInstall(ctx, "docker.io", "iptables", "iproute2"); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "Installed Docker in %s.\n", time.Since(start).Round(time.Second))
	return findDocker()
}
