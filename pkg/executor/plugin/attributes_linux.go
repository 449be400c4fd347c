package plugin

import "syscall"

// attributes keep a terminal's Ctrl-C from the plugin, whose work the runner cancels itself, and let it die with the runner.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
