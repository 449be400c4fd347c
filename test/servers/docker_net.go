package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// dockerNet is a bridge and the addresses of an engine: one of 10.160.0.0/16 to 10.191.0.0/16. A lock says that it is taken, and
// goes with the process.
type dockerNet struct {
	bridge string
	second int // byte of the addresses
	unlock func()
}

const (
	firstDockerNet = 160
	dockerNets     = 32
)

// claimDockerNet finds addresses that no other engine of ours has.
func claimDockerNet(ctx context.Context) (dockerNet, error) {
	for n := range dockerNets {
		brief, cancel := context.WithTimeout(ctx, time.Millisecond)
		unlock, err := lockFile(brief, filepath.Join(os.TempDir(), fmt.Sprintf("vivarium-docker-net-%d.lock", n)))
		cancel()
		if err == nil {
			return dockerNet{bridge: fmt.Sprintf("vivd%d", n), second: firstDockerNet + n, unlock: unlock}, nil
		}
	}
	return dockerNet{}, fmt.Errorf("there are %d private Docker engines on this machine already, and no addresses for another", dockerNets)
}

// pool is where the networks of templates get their addresses.
func (n dockerNet) pool() string { return fmt.Sprintf("10.%d.128.0/17", n.second) }

// up makes the bridge anew, and takes away what an engine that was killed has left with these addresses.
func (n dockerNet) up(ctx context.Context) error {
	if err := n.down(); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "add", n.bridge, "type", "bridge"},
		{"addr", "add", fmt.Sprintf("10.%d.0.1/24", n.second), "dev", n.bridge},
		{"link", "set", n.bridge, "up"},
	} {
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w\n%s", args, err, out)
		}
	}
	return nil
}

// down removes every interface that has one of the addresses.
func (n dockerNet) down() error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		if i.Name != n.bridge && !n.owns(i) {
			continue
		}
		if out, err := exec.Command("ip", "link", "del", i.Name).CombinedOutput(); err != nil {
			return fmt.Errorf("ip link del %s: %w\n%s", i.Name, err, out)
		}
	}
	return nil
}

func (n dockerNet) owns(i net.Interface) bool {
	addresses, err := i.Addrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.To4()[0] == 10 && int(ip.IP.To4()[1]) == n.second {
			return true
		}
	}
	return false
}

func (n dockerNet) release() error {
	if n.unlock == nil {
		return errors.New("the addresses were never taken")
	}
	err := n.down()
	n.unlock()
	return err
}
