package process

import (
	"syscall"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// attributes make a check the leader of a group of its own, which dies with the runner.
func attributes(u *supervisor.User) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if u != nil {
		a.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	return a
}
