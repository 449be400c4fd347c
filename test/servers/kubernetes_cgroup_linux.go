package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	cgroups      = "/sys/fs/cgroup"
	cgroupPrefix = "vivarium-kubernetes-"
)

// cgroupName is that of the cluster in a folder: it tells the process that has started it.
func cgroupName(dir string) string {
	return cgroupPrefix + strconv.Itoa(os.Getpid()) + "-" + digestOf([]byte(dir))[:8]
}

// hierarchies are the folders that have a cgroup of their own of each name: one for each controller, or one for all.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}
	}
	folders, _ := filepath.Glob(filepath.Join(cgroups, "*", "cgroup.procs"))
	for i, folder := range folders {
		folders[i] = filepath.Dir(folder)
	}
	return folders
}

func makeCgroup(name string) error {
	for _, h := range hierarchies() {
		if err := os.Mkdir(filepath.Join(h, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making a cgroup for the cluster: %w", err)
		}
		// The first version gives a new cgroup no processors and no memory until it is told which.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if text, err := os.ReadFile(filepath.Join(h, file)); err == nil {
				if err := os.WriteFile(filepath.Join(h, name, file), text, 0o600); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// removeCgroup removes a cgroup and those below, which may be busy for a moment after their last process has ended.
func removeCgroup(name string) error {
	tick, enough := time.NewTicker(20*time.Millisecond), time.NewTimer(10*time.Second)
	defer tick.Stop()
	defer enough.Stop()
	for {
		err := tryRemoveCgroup(name)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-enough.C:
			return fmt.Errorf("removing the cluster's cgroups: %w", err)
		}
	}
}

func tryRemoveCgroup(name string) (err error) {
	for _, h := range hierarchies() {
		var folders []string
		_ = filepath.WalkDir(filepath.Join(h, name), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				folders = append(folders, path)
			}
			return nil // what is gone is gone
		})
		for _, folder := range slices.Backward(folders) {
			if e := syscall.Rmdir(folder); e != nil && e != syscall.ENOENT {
				err = errors.Join(err, fmt.Errorf("%s: %w", folder, e))
			}
		}
	}
	return err
}

// removeStaleCgroups removes those of processes that did not live to do it themselves.
func removeStaleCgroups() {
	for _, h := range hierarchies() {
		folders, _ := filepath.Glob(filepath.Join(h, cgroupPrefix+"*"))
		for _, folder := range folders {
			pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), cgroupPrefix), "-")
			if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
				_ = tryRemoveCgroup(filepath.Base(folder))
			}
		}
	}
}
