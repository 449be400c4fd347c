package servers

import "syscall"

// tied is a process group of its own, so that an interrupt at the terminal reaches only us, and death with us.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
