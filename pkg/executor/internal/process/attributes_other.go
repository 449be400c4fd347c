//go:build unix && !linux

package process

import "syscall"

// attributes make the program the leader of a group of its own. Only Linux lets it die with the runner; elsewhere
// EndLeftovers has to find it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
