package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// processOptions have the folder that all runners of one data folder share. This program itself is the supervisor.
func processOptions(variables map[string]string, settings config.Settings, key func() *secret.Box, log *slog.Logger) process.Options {
	o := process.Options{
		Folder: settings.Process.Folder, Programs: settings.Process.Programs, Path: variables["PATH"], Self: variables[supervisor.Mark], Key: key, Log: log,
		Supervise: []string{"vivarium", superviseWord},
	}
	if self, err := os.Executable(); err == nil {
		o.Supervise[0] = self
	}
	if o.Folder == "" {
		o.Folder = filepath.Join(settings.DataDir, "processes")
		if dir, err := filepath.Abs(o.Folder); err == nil {
			o.Folder = dir
		}
	}
	return o
}
