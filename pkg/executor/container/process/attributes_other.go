//go:build !linux

package process

import (
	"syscall"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// attributes are never asked for here: there are no processes.
func attributes(*supervisor.User) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
