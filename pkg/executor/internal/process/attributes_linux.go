package process

import "syscall"

// attributes make the program the leader of a group of its own, and let it die with the runner.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
