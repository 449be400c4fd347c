//go:build unix && !linux

package servers

import "syscall"

// tied is a process group of its own; only Linux can also tie a child's life to ours.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
