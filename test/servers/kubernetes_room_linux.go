package servers

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed kubernetes/room.sh
var roomScript string

// room is namespaces of network, mounts, processes and IPC. When its first process ends, which it does when this process
// ends, the kernel ends every process in it and forgets its mounts, interfaces and rules.
type room struct {
	first   *child
	cgroup  string
	network *os.File
}

// newRoom makes a room with a network that has the node's address; pause is its first process.
func newRoom(dir, pause string) (_ *room, err error) {
	r := &room{cgroup: cgroupName(dir)}
	removeStaleCgroups()
	if err := makeCgroup(r.cgroup); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log", "room"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	ready := filepath.Join(dir, "room-is-ready")
	cmd := exec.Command("/bin/sh", "-euc", roomScript, "sh", pause, nodeNetwork, filepath.Join(dir, "log"), ready) //nolint:gosec // our own script
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, tied()
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC
	if r.first, err = startChild(cmd); err != nil {
		return nil, fmt.Errorf("making namespaces: %w", err)
	}
	if err := r.furnished(ready); err != nil {
		_ = r.close()
		said, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w; it said:\n%s", err, said)
	}
	return r, nil
}

// furnished waits until the script has done its work, and holds on to the network.
func (r *room) furnished(ready string) (err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(ready); err == nil {
			r.network, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", r.first.cmd.Process.Pid))
			return err
		}
		select {
		case <-tick.C:
		case <-r.first.done:
			return fmt.Errorf("the namespaces of the cluster could not be made: %w", r.first.err)
		}
	}
}

// command is a program to be run inside.
func (r *room) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	pid := strconv.Itoa(r.first.cmd.Process.Pid)
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", pid, "-n", "-m", "-p", "-i", "--", program}, args...)...) //nolint:gosec // ours
}

// dial connects from inside.
func (r *room) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return inside(r, func() (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	})
}

// listen listens inside.
func (r *room) listen(ctx context.Context, network, address string) (net.Listener, error) {
	return inside(r, func() (net.Listener, error) { return (&net.ListenConfig{}).Listen(ctx, network, address) })
}

// inside makes a socket inside. A thread that has entered the network is not used for anything else: it ends with the goroutine.
func inside[S any](r *room, socket func() (S, error)) (made S, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = unix.Setns(int(r.network.Fd()), unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("entering the cluster's network: %w", err)
			return
		}
		made, err = socket()
	}()
	<-done
	return made, err
}

// close ends all that is inside and removes the cgroups.
func (r *room) close() error {
	err := r.first.kill()
	if r.network != nil {
		_ = r.network.Close()
	}
	if e := removeCgroup(r.cgroup); e != nil {
		return e
	}
	return err
}
