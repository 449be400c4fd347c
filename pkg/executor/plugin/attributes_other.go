//go:build !linux

package plugin

import "syscall"

// attributes keep a terminal's Ctrl-C from the plugin. Only Linux lets it die with a runner that is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
