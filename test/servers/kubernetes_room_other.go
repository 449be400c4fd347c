//go:build unix && !linux

package servers

import (
	"context"
	"errors"
	"net"
	"os/exec"
)

// room can't be had: namespaces are Linux's.
type room struct{}

func newRoom(string, string) (*room, error) {
	return nil, errors.New("a Kubernetes cluster for tests needs Linux")
}

func (*room) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, program, args...)
}

func (*room) dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("there is no cluster")
}

func (*room) listen(context.Context, string, string) (net.Listener, error) {
	return nil, errors.New("there is no cluster")
}

func (*room) close() error { return nil }

func cgroupName(string) string { return "" }
