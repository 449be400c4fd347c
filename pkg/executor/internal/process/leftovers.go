package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const leftoverPause = 5 * time.Millisecond

func killGroup(pgid int) { _ = syscall.Kill(-pgid, syscall.SIGKILL) } // ESRCH: nobody is left, which is the aim

func writeRecord(file string, pgid int) error {
	return os.WriteFile(file, []byte(strconv.Itoa(pgid)), 0o600)
}

// EndLeftovers kills the process group that a record names, when a runner was killed and its program went on, and
// returns once nothing of it runs or ctx ends. Members that carry the marks in their environment prove that the
// group is still the recorded one; without them the number belongs to somebody else by now and is left alone.
func EndLeftovers(ctx context.Context, record string, marks []string) error {
	text, err := os.ReadFile(record)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pgid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pgid <= 1 {
		return os.Remove(record) // cut short by a crash: nothing was started behind it
	}
	for marked(pgid, marks) {
		killGroup(pgid)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(leftoverPause):
		}
	}
	return os.Remove(record)
}

// marked tells whether a living member of the group has all the marks in its environment. Where there is no /proc
// nothing is found.
func marked(pgid int, marks []string) bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is a constant and right
	for _, stat := range stats {
		if member(stat, pgid) && hasAll(filepath.Join(filepath.Dir(stat), "environ"), marks) {
			return true
		}
	}
	return false
}

// member reads /proc/PID/stat: "pid (name) state ppid pgrp ...". The name may hold anything, so what counts begins
// behind the last bracket.
func member(stat string, pgid int) bool {
	text, err := os.ReadFile(stat)
	if err != nil {
		return false // it ended meanwhile
	}
	_, rest, _ := strings.Cut(string(text[max(0, strings.LastIndexByte(string(text), ')')):]), " ")
	fields := strings.Fields(rest)
	return len(fields) > 2 && fields[0] != "Z" && fields[0] != "X" && fields[2] == strconv.Itoa(pgid)
}

func hasAll(environ string, marks []string) bool {
	text, err := os.ReadFile(environ)
	if err != nil || len(marks) == 0 {
		return false
	}
	entries := "\x00" + string(text)
	for _, m := range marks {
		if !strings.Contains(entries, "\x00"+m+"\x00") {
			return false
		}
	}
	return true
}
